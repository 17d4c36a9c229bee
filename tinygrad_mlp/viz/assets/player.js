// Replays what was recorded: which box is computed, along which arrow a gradient flows. Every
// number comes from the data; no gradient is computed here. Text enters the page as text only.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const SVG = "http://www.w3.org/2000/svg";
  const state = { scene: 0, step: 0, timer: null, chosen: null, neurons: false };

  const stageOf = (name) => document.querySelector(`.scene[data-scene="${name}"]`);
  const scene = () => data.scenes[state.scene];
  const picture = () => stageOf(state.scene).querySelector("svg");
  const stages = data.scenes.map((_, k) => {
    const root = stageOf(k);
    const nodes = new Map();
    for (const node of root.querySelectorAll(".node")) nodes.set(node.dataset.key, node);
    return { root, nodes, edges: [...root.querySelectorAll(".edge")] };
  });

  // -- drawing one moment --------------------------------------------------------------------

  function heat(node, role, map) {
    const place = node.querySelector(`.heat[data-role="${role}"]`);
    if (!place || !map) return;
    const key = JSON.stringify(map);
    if (place.dataset.shown === key) return;
    place.dataset.shown = key;
    const size = Number(place.dataset.cell);
    const finite = map.flat().filter((x) => typeof x === "number");
    const largest = Math.max(...finite.map(Math.abs), 0) || 1;
    const cells = map.flatMap((row, r) => row.map((x, c) => {
      const cell = document.createElementNS(SVG, "rect");
      const bad = typeof x !== "number";
      cell.setAttribute("class", `cell ${bad ? "bad" : x > 0 ? "plus" : x < 0 ? "minus" : "zero"}`);
      if (!bad) cell.setAttribute("fill-opacity", (0.08 + 0.92 * Math.abs(x) / largest).toFixed(3));
      cell.setAttribute("x", (c * size).toFixed(2));
      cell.setAttribute("y", (r * size).toFixed(2));
      cell.setAttribute("width", size.toFixed(2));
      cell.setAttribute("height", size.toFixed(2));
      return cell;
    }));
    place.replaceChildren(...cells);
  }

  function moment() {
    // What is known after the current step: computed boxes, gradients so far, arrows that flowed.
    const known = { computed: new Set(), gradient: new Map(), flowed: new Set() };
    scene().beats.slice(0, state.step + 1).forEach((beat) => {
      if (beat.phase === "forward") known.computed.add(beat.at);
      else known.gradient.set(beat.to, beat);
      if (beat.edge !== null) known.flowed.add(beat.edge);
    });
    return known;
  }

  function show() {
    const { boxes, beats } = scene();
    const beat = beats[state.step];
    const known = moment();
    const stage = stages[state.scene];
    picture().classList.toggle("backward", beat.phase !== "forward");
    stage.nodes.forEach((node, key) => {
      const gradient = known.gradient.get(key);
      node.classList.toggle("waiting", !boxes[key].given && !known.computed.has(key));
      node.classList.toggle("unreached", !gradient);
      node.classList.toggle("current", beat.at === key);
      node.classList.toggle("receives", beat.phase === "backward" && beat.to === key);
      heat(node, "value", boxes[key].map);
      const text = node.querySelector(".gradient");
      if (gradient) {
        heat(node, "gradient", gradient.map);
        if (text) text.textContent = gradient.total;
      }
    });
    stage.edges.forEach((edge, k) => {
      edge.classList.toggle("done", known.flowed.has(k) && beat.edge !== k);
      edge.classList.toggle("current", beat.edge === k);
    });
    tell(beat);
    neurons(beat, known);
    if (state.chosen) describe(state.chosen);
    bringIntoView(stage.nodes.get(beat.to || beat.at));
  }

  function tell(beat) {
    const row = byId(`s${state.scene}-${state.step}`);
    const count = scene().beats.length;
    const say = row.cells[1].textContent;
    byId("say").textContent = `Step ${state.step + 1} of ${count}. ${say}`;
    byId("formula").replaceChildren(...[...row.cells[2].childNodes].map((x) => x.cloneNode(true)));
    byId("numbers").textContent = row.cells[3].textContent;
    byId("now").dataset.phase = beat.phase;
    byId("count").textContent = `${state.step + 1} of ${count}`;
    const scrub = byId("scrub");
    scrub.max = count - 1;
    scrub.value = state.step;
    scrub.setAttribute("aria-valuetext", `step ${state.step + 1}: ${say}`);
    document.querySelectorAll("tr.current").forEach((x) => x.classList.remove("current"));
    row.classList.add("current");
    byId("back").disabled = byId("first").disabled = state.step === 0;
    byId("next").disabled = byId("end").disabled = state.step === count - 1;
  }

  function neurons(beat, known) {
    if (!data.neurons) return;
    const root = stageOf("neurons").querySelector("svg");
    root.classList.toggle("backward", beat.phase !== "forward");
    data.neurons.layers.forEach((keys, k) => {
      const now = keys.includes(beat.at) || keys.includes(beat.to);
      root.querySelectorAll(`.neuron[data-key="l${k}"]`).forEach((neuron) => {
        neuron.classList.toggle("current", now);
        const ready = k === 0 || known.computed.has(keys[keys.length - 1]);
        neuron.classList.toggle("waiting", !ready);
      });
    });
    data.neurons.weights.forEach((weight, k) => {
      const live = known.gradient.has(weight.key) && weight.strengths;
      root.querySelectorAll(`.weight[data-key="w${k}"]`).forEach((line) => {
        if (!line.dataset.look) {
          line.dataset.look = `${line.getAttribute("class")}|${line.getAttribute("stroke-width")}`;
        }
        const [look, wide] = line.dataset.look.split("|");
        if (!live) {
          line.setAttribute("class", look);
          line.setAttribute("stroke-width", wide);
          return;
        }
        const [row, column] = line.dataset.at.split(",").map(Number);
        const x = weight.strengths[row][column]; // a word, if it is no finite number
        const bad = typeof x !== "number";
        const sign = bad ? "bad" : x > 0 ? "plus" : x < 0 ? "minus" : "none";
        line.setAttribute("class", `weight live ${sign}`);
        line.setAttribute("stroke-width", bad ? "3" : (0.8 + 4.2 * Math.abs(x)).toFixed(1));
      });
    });
  }

  function bringIntoView(node) {
    const stage = byId("stage");
    if (!node || stage.scrollWidth <= stage.clientWidth + 2 && stage.scrollHeight <= stage.clientHeight + 2) return;
    const box = node.getBoundingClientRect();
    const frame = stage.getBoundingClientRect();
    stage.scrollTo({
      left: stage.scrollLeft + box.left - frame.left - (frame.width - box.width) / 2,
      top: stage.scrollTop + box.top - frame.top - (frame.height - box.height) / 2,
      behavior: calm.matches ? "auto" : "smooth",
    });
  }

  // -- moving through the steps --------------------------------------------------------------

  function go(step) {
    state.step = Math.min(Math.max(step, 0), scene().beats.length - 1);
    show();
  }

  function pause() {
    clearInterval(state.timer);
    state.timer = null;
    delete byId("play").dataset.on;
    byId("play-word").textContent = "Play";
  }

  function play() {
    if (state.timer) return pause();
    if (state.step === scene().beats.length - 1) go(0);
    byId("play").dataset.on = "";
    byId("play-word").textContent = "Pause";
    state.timer = setInterval(() => {
      go(state.step + 1);
      if (state.step === scene().beats.length - 1) pause();
    }, Number(byId("speed").value));
    return undefined;
  }

  function enter(number) {
    pause();
    letGo();
    stageOf(state.scene).hidden = true;
    document.querySelector(`table[data-scene="${state.scene}"]`).hidden = true;
    state.scene = number;
    state.step = 0;
    stageOf(number).hidden = false;
    document.querySelector(`table[data-scene="${number}"]`).hidden = false;
    byId("out").hidden = scene().parent === null;
    show();
  }

  // -- pointing at boxes ---------------------------------------------------------------------

  function describe(key) {
    const box = scene().boxes[key];
    const gradient = moment().gradient.get(key);
    const facts = [["is", box.kind], ["shape", box.shape], ["formula", box.formula],
      ["value", box.value], ["gradient", gradient ? gradient.numbers : "not reached yet"],
      ...box.facts];
    byId("hint").hidden = true;
    byId("detail-title").hidden = false;
    byId("detail-title").textContent = box.title;
    byId("detail-list").replaceChildren(...facts.filter(([, text]) => text).flatMap(([name, text]) => {
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = name;
      dd.textContent = text;
      return [dt, dd];
    }));
    const door = scene().doors[key];
    byId("enter").hidden = door === undefined;
    byId("enter").onclick = () => enter(door);
  }

  const hit = (key) => stages[state.scene].nodes.get(key).querySelector(".hit");

  function choose(key) {
    if (state.chosen === key) return letGo();
    letGo();
    state.chosen = key;
    hit(key).setAttribute("aria-pressed", "true");
    describe(key);
    const paths = scene().paths[key];
    if (paths) light(key, paths);
    return undefined;
  }

  function light(key, paths) {
    // Everything that is computed from the parameter leads to the loss: that is what was drawn.
    const reached = new Set([key]);
    const edges = new Set();
    scene().edges.forEach(([tail, head], k) => {
      if (reached.has(tail)) { reached.add(head); edges.add(k); }
    });
    picture().classList.add("lit");
    stages[state.scene].nodes.forEach((node, name) => node.classList.toggle("path", reached.has(name)));
    stages[state.scene].edges.forEach((edge, k) => edge.classList.toggle("path", edges.has(k)));
    byId("paths").hidden = false;
    byId("paths-count").textContent =
      paths.count === 1 ? "1 path reaches it." : `${paths.count} paths reach it; they add.`;
    byId("paths-sum").textContent = [paths.note, `Together: ${paths.total}`].join(" ").trim();
    byId("paths-list").replaceChildren(...paths.lines.map((line) => {
      const li = document.createElement("li");
      li.textContent = line.say;
      return li;
    }));
  }

  function letGo() {
    if (state.chosen) hit(state.chosen).removeAttribute("aria-pressed");
    state.chosen = null;
    picture().classList.remove("lit");
    document.querySelectorAll(".path").forEach((x) => x.classList.remove("path"));
    byId("paths").hidden = true;
    byId("detail-list").replaceChildren();
    byId("detail-title").hidden = true;
    byId("hint").hidden = false;
    byId("enter").hidden = true;
  }

  // -- listening -----------------------------------------------------------------------------

  byId("first").onclick = () => { pause(); go(0); };
  byId("back").onclick = () => { pause(); go(state.step - 1); };
  byId("next").onclick = () => { pause(); go(state.step + 1); };
  byId("end").onclick = () => { pause(); go(Infinity); };
  byId("play").onclick = play;
  byId("scrub").oninput = (event) => { pause(); go(Number(event.target.value)); };
  byId("speed").onchange = () => { if (state.timer) { pause(); play(); } };
  byId("out").onclick = () => enter(scene().parent);
  byId("fit").onclick = (event) => {
    const on = byId("stage").classList.toggle("fit");
    event.currentTarget.setAttribute("aria-pressed", String(on));
  };
  if (data.neurons) {
    byId("view").hidden = false;
    byId("view").onclick = (event) => {
      state.neurons = !state.neurons;
      event.currentTarget.setAttribute("aria-pressed", String(state.neurons));
      stageOf("neurons").hidden = !state.neurons;
      stageOf(state.scene).hidden = state.neurons;
    };
  }
  stages.forEach(({ nodes }) => nodes.forEach((node, key) => {
    node.addEventListener("mouseenter", () => { if (!state.chosen) describe(key); });
    node.addEventListener("focusin", () => { if (!state.chosen) describe(key); });
    node.addEventListener("click", () => choose(key));
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      choose(key);
    });
  }));
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const tag = event.target.tagName;
    if (tag === "SELECT" || tag === "INPUT") return; // these have the same keys of their own
    const press = {
      ArrowLeft: () => { pause(); go(state.step - 1); },
      ArrowRight: () => { pause(); go(state.step + 1); },
      Home: () => { pause(); go(0); },
      End: () => { pause(); go(Infinity); },
      Escape: letGo,
      " ": tag === "BUTTON" || tag === "SUMMARY" ? null : play,
    }[event.key];
    if (!press) return;
    event.preventDefault();
    press();
  });
  show();
})();
