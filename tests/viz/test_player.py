"""The page of the player, read as a file: its numbers, its policy, its scenes."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import tinygrad_mlp as tg
from tests.viz.graphs import EVIL, GRAPHS, hostile, network, paths, weight
from tinygrad_mlp import nn
from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.viz.assets import asset

EVERY = {**GRAPHS, "hostile": hostile}


class Elements(HTMLParser):
    """Every element with its attributes, and the data of the page."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.data = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.found and self.found[-1][1].get("id") == "data" and not self.data:
            self.data = data


@pytest.mark.parametrize("name", EVERY)
def test_the_page_is_self_contained(name):
    page = tg.player(EVERY[name]().root).html
    elements = Elements(page)
    tags = [tag for tag, _ in elements.found]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert not any("src" in attrs or key.startswith("on") for _, attrs in elements.found
                   for key in attrs)  # fmt: skip
    policy = next(a["content"] for t, a in elements.found if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert "'unsafe-inline'" not in policy.partition("script-src")[2]
    json.loads(elements.data)


def test_the_skeleton_is_small():
    size = sum(len(asset(f"player.{kind}")) for kind in ("js", "css", "html"))
    assert size < 40_000
    assert len(tg.player(paths().root).html) < 100_000


@pytest.mark.parametrize("name", GRAPHS)
def test_every_step_of_the_engine_is_a_step_of_the_player(name):
    graph = GRAPHS[name]()
    (scene,) = tg.player(graph.root).scenes
    backward = list(tg.backward_steps(graph.root))
    forward = list(tg.forward_steps(graph.root))
    assert len(scene.beats) == len(backward) + len(forward)
    for step, beat in zip(backward, scene.beats[len(forward) :], strict=True):
        np.testing.assert_array_equal(beat.total, step.total)
        assert beat.edge is None or scene.picture.edges[beat.edge].head == beat.at


def test_the_same_graph_has_the_same_page():
    assert tg.player(network().root).html == tg.player(network().root).html


def test_scalars_multiply_and_tensors_do_not():
    (scene,) = tg.player(paths().root).scenes
    assert all("upstream × local" in b.numbers for b in scene.beats if b.phase == "backward")
    (scene,) = tg.player(network().root).scenes
    said = " ".join(b.numbers for b in scene.beats if b.phase == "backward")
    assert "upstream × local" not in said
    assert "shapes [4×5]ᵀ [4×2] give 5×2" in said


def test_a_result_of_many_numbers_is_played_too():
    w = weight([1.0, 2.0], "w")
    (scene,) = tg.player(w * w).scenes
    np.testing.assert_array_equal(scene.beats[-1].total, 2 * w.data)


@pytest.mark.parametrize(
    ("where", "bad"), [("weight", np.nan), ("input", np.nan), ("input", np.inf), ("loss", 1e300)]
)
def test_what_is_not_finite_is_played(where, bad):
    model, x = nn.MLP(num_inputs=2, hidden_layers=[3], num_outputs=1, rng=0), np.ones((1, 2))
    weight = next(model.parameters())
    x[0, 0] = bad if where == "input" else 1.0
    weight.data = weight.data * (bad if where == "weight" else 1.0)
    scale = tg.Tensor(bad if where == "loss" else 1.0)
    with np.errstate(all="ignore"):
        player = tg.player((model(x) * scale * scale).sum())

    def strict(word):
        raise AssertionError(word)

    data = json.loads(Elements(player.html).data, parse_constant=strict)
    sent = [w["strengths"] for w in data["neurons"]["weights"]]
    exact = {beat["to"]: beat["exact"] for beat in data["scenes"][0]["beats"] if beat["to"]}
    for w, rows in zip(data["neurons"]["weights"], sent, strict=True):
        numbers = [x for row in rows for x in row]
        words = [isinstance(x, str) for x in exact[w["key"]]]
        assert [isinstance(x, str) for x in numbers] == words
        assert all(abs(x) <= 1 for x in numbers if not isinstance(x, str))
    assert any(isinstance(x, str) for rows in sent for row in rows for x in row)
    assert "Dashed and red: infinite or NaN." in player.html


def test_the_neurons_end_where_the_network_ends():
    model = nn.MLP(num_inputs=2, hidden_layers=[3], num_outputs=1, rng=0)
    player = tg.player(((model(np.ones((1, 2))) - 0.4) ** 2).sum())
    assert [layer.title for layer in player.network.layers] == ["input", "sigmoid", "sigmoid"]
    first, second = nn.Linear(2, 3, rng=0), nn.Linear(3, 1, rng=1)
    by_hand = np.tanh(second(np.tanh(first(np.ones((1, 2))))))
    assert [layer.title for layer in tg.player(by_hand).network.layers] == ["input", "tanh", "tanh"]


def test_a_large_graph_is_played_by_module_with_a_way_in():
    blocks = [nn.Sequential(nn.Linear(2, 2, rng=i), nn.Tanh()) for i in range(80)]
    loss = nn.Sequential(*blocks)(np.ones((1, 2))).sum()
    player = tg.player(loss)
    first, *inner = player.scenes
    assert len(first.beats) < 300
    assert set(first.doors.values()) <= set(range(1, len(player.scenes)))
    assert all(scene.parent is not None for scene in inner)
    assert all(len(scene.beats) <= 300 for scene in player.scenes)
    told = {key for scene in player.scenes for key in scene.keys}
    assert len(told) == 80 * 4 + 2
    assert len(player.html) < 3_000_000


def test_a_long_chain_is_played_in_folds():
    y = weight(1.0, "w")
    for _ in range(3000):
        y = y * 1.001 + 0.1
    player = tg.player(y)
    assert all(len(scene.beats) <= 620 for scene in player.scenes)


def test_a_hook_that_changes_a_gradient_is_a_step():
    w = weight(1.0, "w")
    h = w * 2.0
    h.name = "h"
    h.register_hook(lambda g: g * 10)
    player = tg.player((h * 1.0) ** 2)
    (scene,) = player.scenes
    hooked, last = scene.beats[-2:]
    assert hooked.say == "A hook of h changes its gradient."
    assert hooked.numbers == "before 4, now 40"
    assert (hooked.at, hooked.to, hooked.edge) == (scene.keys[h.birth], scene.keys[h.birth], None)
    assert last.total == 80
    paths = player.data["scenes"][0]["paths"][scene.keys[w.birth]]
    assert paths["note"] == "No sum of products of slopes: a hook of h changed it."
    assert paths["lines"] == []


def test_what_failed_cannot_be_played():
    with pytest.raises(UsageError, match="forward pass failed"):
        tg.player(nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 1)), np.ones((1, 2)))
    with pytest.raises(UsageError):
        tg.player(paths().root).save("player.png")


def test_a_notebook_shows_a_frame_and_a_picture_that_survives():
    bundle = tg.player(hostile().root)._repr_mimebundle_()
    elements = Elements(bundle["text/html"])
    frame = next(attrs for tag, attrs in elements.found if tag == "iframe")
    assert frame["sandbox"] == "allow-scripts"
    assert frame["srcdoc"].startswith("<!doctype html>")
    picture = next(attrs for tag, attrs in elements.found if tag == "img")
    assert picture["src"].startswith("data:image/svg+xml;base64,")
    assert EVIL not in bundle["text/html"]
    assert not re.search(r"<img src=x", bundle["text/html"])


def test_the_player_says_once_which_parameter_a_letter_stands_for():
    player = tg.player(network().root)
    said = [beat.say for beat in player.scenes[0].beats]
    assert sum("W₀ is 0.weight (5×2), b₀ is 0.bias (5)." in say for say in said) == 1
    assert "linear = x W₀ᵀ + b₀ has mean |x|" in said[0]
    assert any("∂loss/∂W₀ = gᵀ x" in say for say in said)
    boxes = player.data["scenes"][0]["boxes"].values()
    facts = [fact for box in boxes for fact in box["facts"]]
    assert ("op", "linear of x, 0.weight, 0.bias") in facts


def test_a_norm_says_of_what_and_signs_are_explained_where_they_are_used():
    player = tg.player(network().root)
    numbers = " ".join(beat.numbers for beat in player.scenes[0].beats)
    assert "give 5×2: ‖∂W₀‖ 0.0" in numbers
    assert "‖g‖" not in player.html
    assert "mean |x|: how large the entries are on average; ‖∂‖: the norm" in player.html
    assert "the norm of the gradient" not in tg.player(paths().root).html


def test_up_to_six_numbers_are_shown_as_they_are():
    w = weight([1.0, 2.0, 3.0, 4.0, 5.0, 6.25], "w")
    say = tg.player((w * 2.0).sum()).scenes[0].beats[0].say
    assert say == "Forward: mul = w · 2 is [2, 4, 6, 8, 10, 12.5] (6)."
    assert "6.25]" in tg.draw(w * 2.0).svg
    say = tg.player((weight(np.ones(7), "w") * 2.0).sum()).scenes[0].beats[0].say
    assert say == "Forward: mul = w · 2 has mean |x| 2 (7)."
