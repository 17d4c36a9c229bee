"""The always-on extras: what a step costs with them, and with each of them taken out.

Every node notes the user's line and the module that made it, and a tensor made from an array copies
it. Here the same build runs without them: what does the work is replaced by something that does
nothing, for the length of a segment. The clock cannot be switched off: its numbers are the order of
the graph. Knows names inside tinygrad_mlp, as nothing else in this package does; a name that is no
longer there is reported, not skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from benchmarks import reference, timing, training, workloads
from benchmarks.contenders import BY_KEY
from benchmarks.results import Row

SUITE = "always-on extras"
BARE = "without all of them"

Replacements = Mapping[str, Callable[[Any], Any]]
"""By place, as `module:attribute`: from what stands there to what stands in for it."""


def _no_site(_: Any) -> Callable[..., None]:
    return lambda *_: None


def _call_without_scope(_: Any) -> Callable[..., Any]:
    def call(module: Any, *inputs: Any, **options: Any) -> Any:
        return module.forward(*inputs, **options)

    return call


def _shared(astensor: Any) -> Callable[..., Any]:
    return partial(astensor, copy=False)


LINE: Replacements = {
    "tinygrad_mlp.tensor:user_site": _no_site,
    "tinygrad_mlp.nn.module:user_site": _no_site,
}
PATH: Replacements = {"tinygrad_mlp.nn.module:Module.__call__": _call_without_scope}
COPY: Replacements = {
    "tinygrad_mlp.nn.linear:astensor": _shared,
    "tinygrad_mlp.nn.loss:astensor": _shared,
}
VARIANTS: Mapping[str, Replacements] = {
    "without line": LINE,
    "without line and module path": {**LINE, **PATH},  # the path carries the line: not it alone
    "without copy": COPY,
    BARE: {**LINE, **PATH, **COPY},
}


def missing(replacements: Replacements) -> str:
    """The first place that is not there, if any."""
    return next((place for place in replacements if not hasattr(*_find(place))), "")


@contextmanager
def replaced(replacements: Replacements) -> Iterator[None]:
    """Put the stand-ins in their places while the block runs."""
    originals = []
    for place, instead in replacements.items():
        owner, name = _find(place)
        original = getattr(owner, name)
        originals.append((owner, name, original))
        setattr(owner, name, instead(original))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def cost(workload_name: str, effort: timing.Effort) -> Iterator[Row]:
    """Seconds per step with all extras, without each of them, and without all."""
    contender = BY_KEY["ours"]
    if not contender.installed:
        yield Row(SUITE, workload_name, "ours", "s/step", note=contender.absence)
        return
    workload = workloads.BY_NAME[workload_name]
    task = workloads.draw(workload)
    trainer = training.start(contender, task, reference.train(task))

    def unit(replacements: Replacements) -> timing.Unit:
        def epoch() -> None:
            with replaced(replacements):
                trainer.epoch()

        return epoch

    units: dict[str, timing.Unit] = {"ours": trainer.epoch}
    for name, replacements in VARIANTS.items():
        if place := missing(replacements):
            yield Row(SUITE, workload_name, name, "s/step", note=f"no {place}")
        else:
            units[name] = unit(replacements)
    for name, seconds in timing.interleave(units, effort).items():
        per_step = tuple(value / workload.steps for value in seconds)
        yield Row(SUITE, workload_name, name, "s/step", per_step)


def _find(place: str) -> tuple[Any, str]:
    """The object that holds the attribute, and the attribute's own name."""
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *owners, name = path.split(".")
    for step in owners:
        owner = getattr(owner, step, None)
    return owner, name
