"""The always-on extras: what a step costs with them, and with each of them taken out.

Every node notes the user's line and the module that made it, and a tensor made from an array copies
it. Here the same build runs without them: a switch replaces the function that does the work by one
that does nothing, for the length of a segment. The clock cannot be switched off: its numbers are
the order of the graph. Knows names inside tinygrad_mlp, as nothing else in this package does; a
name that is no longer there is reported, not skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from benchmarks import reference, timing, training, workloads
from benchmarks.contenders import BY_KEY
from benchmarks.results import Row

SUITE = "always-on extras"
BARE = "without all of them"


@dataclass(frozen=True)
class Switch:
    """An extra, the places that call it as `module:attribute`, and what stands in for it there.

    `instead(original)` is put in the place of each original.
    """

    extra: str
    places: tuple[str, ...]
    instead: Callable[[Any], Any]

    def missing(self) -> str:
        """The first place that is not there, if any."""
        return next((place for place in self.places if not hasattr(*_find(place))), "")


def _call_without_scope(_: Any) -> Callable[..., Any]:
    def call(module: Any, *inputs: Any, **options: Any) -> Any:
        return module.forward(*inputs, **options)

    return call


SWITCHES = (
    Switch(
        "line",
        ("tinygrad_mlp.tensor:user_site", "tinygrad_mlp.nn.module:user_site"),
        lambda _: lambda *_: None,
    ),
    Switch("module path", ("tinygrad_mlp.nn.module:Module.__call__",), _call_without_scope),
    Switch(
        "copy",
        ("tinygrad_mlp.nn.linear:astensor", "tinygrad_mlp.nn.loss:astensor"),
        lambda astensor: partial(astensor, copy=False),
    ),
)


@contextmanager
def without(*switches: Switch) -> Iterator[None]:
    """Take the extras of `switches` out of the package while the block runs."""
    originals = []
    for switch in switches:
        for owner, name in map(_find, switch.places):
            original = getattr(owner, name)
            originals.append((owner, name, original))
            setattr(owner, name, switch.instead(original))
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
    variants: dict[str, tuple[Switch, ...]] = {"ours": ()}
    for switch in SWITCHES:
        name, missing = f"without {switch.extra}", switch.missing()
        if missing:
            yield Row(SUITE, workload_name, name, "s/step", note=f"no {missing}")
        else:
            variants[name] = (switch,)
    variants[BARE] = tuple(switch for group in variants.values() for switch in group)

    def unit(switches: tuple[Switch, ...]) -> timing.Unit:
        def epoch() -> None:
            with without(*switches):
                trainer.epoch()

        return epoch

    seconds = timing.interleave({name: unit(group) for name, group in variants.items()}, effort)
    for name, values in seconds.items():
        per_step = tuple(value / workload.steps for value in values)
        yield Row(SUITE, workload_name, name, "s/step", per_step)


def _find(place: str) -> tuple[Any, str]:
    """The object that holds the attribute, and the attribute's own name."""
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *owners, name = path.split(".")
    for step in owners:
        owner = getattr(owner, step, None)
    return owner, name
