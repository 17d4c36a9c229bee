"""XLA: a program as one pure function that JAX compiles, for GPUs, TPUs and many devices.

This file knows how an op's own forward function runs on JAX's arrays, how state is kept on the
devices between steps, and how a batch is divided among them. It imports JAX only when a program
is made for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.errors import CaptureError, MissingExtraError, ShapeError, install
from tinygrad_mlp.ops import Array
from tinygrad_mlp.program.arguments import Given
from tinygrad_mlp.program.guards import Fact, checker
from tinygrad_mlp.program.ir import Program
from tinygrad_mlp.program.memory import lives_on
from tinygrad_mlp.program.runner import StaleError
from tinygrad_mlp.program.tracing import given_cells, native, pure
from tinygrad_mlp.tensor import Tensor

__all__ = ["XlaStep", "import_jax"]


def import_jax() -> Any:
    """The package jax.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import jax
    except ImportError as error:
        raise MissingExtraError(
            'compile(backend="jax") needs JAX, which is not installed',
            why=str(error),
            fix=install("jax"),
        ) from error
    return jax


class XlaStep:
    """Runs one program with XLA; parameters live on the devices between steps.

    Args:
        program: The program, as it was recorded.
        kept: What it relies on.
        single: Whether it returns one thing and not a tuple.
        slow: What to call with the arguments when a guard does not hold.
        devices: The devices that share each batch, or their number; by default one.
    """

    def __init__(
        self,
        program: Program,
        kept: list[Fact],
        *,
        single: bool,
        slow: Callable[..., Any],
        devices: Any = None,
    ) -> None:
        self.fits, self.slow = checker(program, kept), slow
        self.jax = jax = import_jax()
        self.program, self.single = program, single
        self.living = [cell for cell in program.cells if lives_on(cell)]
        self.given = given_cells(program)
        self.checks = [*program.checks_by_input()]
        self.draws = [e for e in program.equations if not e.pure]
        self.generators = {
            id(c.before): c for c in program.reads if isinstance(c.held, np.random.Generator)
        }
        traced = pure(program, self.draws)

        def function(*arguments: Any) -> Any:
            # Unless told otherwise, a GPU multiplies float32 in TF32: 10 bits, not 23.
            with jax.default_matmul_precision(jax.config.jax_default_matmul_precision or "highest"):
                return traced(*arguments)

        self._function = function

        def scan(state: Any, inputs: Any, numbers: Any, drawn: Any) -> Any:
            def one(carry: Any, xs: Any) -> Any:
                outputs, carry = function(carry, xs[0], numbers, xs[1])
                return carry, outputs

            carry, outputs = jax.lax.scan(one, state, (inputs, drawn))
            return outputs, carry

        self._place(devices)
        self._step = jax.jit(function, donate_argnums=0)
        self._scan = jax.jit(scan, donate_argnums=0)
        # What each cell shows, a copy of it, and the array on the devices that it is a copy of.
        self._held: list[tuple[Array, Array, Any]] = []
        self._lock = threading.Lock()
        self._try()

    def _try(self) -> None:
        """Trace the program once, so that what JAX cannot say is said before anything has changed.

        Raises:
            CaptureError: If JAX cannot say all of it.
        """
        inputs = [np.zeros(v.shape, native(v.dtype)) for v in self.program.inputs]
        drawn = [np.zeros(e.output.shape, e.output.dtype) for e in self.draws]
        with _x64(self.jax):
            self._step.eval_shape(self._state(), inputs, self._numbers(), drawn)

    @property
    def forms(self) -> dict[str, str]:
        """What runs, as JAX's own printer writes it."""
        arrays = [np.zeros(v.shape, native(v.dtype)) for v in self.program.inputs]
        with _x64(self.jax):
            drawn = [np.zeros(e.output.shape, e.output.dtype) for e in self.draws]
            text = self.jax.make_jaxpr(self._function)(
                self._state(), arrays, self._numbers(), drawn
            )
        return {"jaxpr": str(text)}

    def _place(self, devices: Any) -> None:
        """One mesh axis: every batch is cut along its first axis, everything else is copied."""
        jax = self.jax
        self.whole = self.parts = self.parts_of_scan = None
        self.far = jax.default_backend() != "cpu"
        if devices is None:
            return
        found = jax.devices()
        chosen = found[:devices] if isinstance(devices, int) else list(devices)
        self.far = any(device.platform != "cpu" for device in chosen)
        if isinstance(devices, int) and len(found) < devices:
            raise CaptureError(
                f"{devices} devices are asked for, and JAX sees {len(found)}",
                fix="On a CPU, set XLA_FLAGS=--xla_force_host_platform_device_count="
                f"{devices} before JAX is imported.",
            )
        sizes = {v.shape[0] for v in self.program.inputs if v.ndim}
        for size in sizes:
            if size % len(chosen):
                raise ShapeError(
                    f"a batch of {size} over {len(chosen)} devices",
                    why="each takes an equal part",
                    fix=f"Use a batch size that {len(chosen)} divides.",
                )
        sharding = jax.sharding
        mesh = sharding.Mesh(np.array(chosen), ("batch",))
        spec = sharding.PartitionSpec
        self.whole = sharding.NamedSharding(mesh, spec())
        self.parts = sharding.NamedSharding(mesh, spec("batch"))
        self.parts_of_scan = sharding.NamedSharding(mesh, spec(None, "batch"))

    # -- running -----------------------------------------------------------------------------

    remark = ""
    open = True  # whatever it is called with, `call` finds out whether it fits

    def run(self, given: Given) -> Any:
        """One step."""
        return self._run([*given.values])

    def call(self, *arguments: Any, **named: Any) -> Any:
        """One step, if the arguments fit."""
        if named:
            return self.slow(*arguments, **named)
        arrays = [x._data if isinstance(x, Tensor) and x.op is None else x for x in arguments]
        if not self.fits(*arrays):
            return self.slow(*arguments)
        try:
            return self._run(arrays)
        except StaleError:
            return self.slow(*arguments)

    def _run(self, arrays: list[Array]) -> Any:
        for i, check in self.checks:
            check(arrays[i])
        with self._lock, _x64(self.jax):
            inputs = [self._put(a, self.parts if a.ndim else self.whole) for a in arrays]
            state = self._state()
            drawn = [self._put(d, self.whole) for d in self._draw()]
            outputs = self._done(self._step, state, inputs, drawn)
        results = [Tensor(o) for o in outputs]
        return results[0] if self.single else tuple(results)

    def scan(self, *arrays: Array) -> list[Array]:
        """A step for each entry along the first axis of every array: one call."""
        for i, check in self.checks:
            check.of_rows(arrays[i])
        with self._lock, _x64(self.jax):
            inputs = [
                self._put(a, self.parts_of_scan if a.ndim > 1 else self.whole) for a in arrays
            ]
            state = self._state()
            each = [self._draw() for _ in range(len(arrays[0]))]
            drawn = [self._put(np.stack(d), self.whole) for d in zip(*each, strict=True)]
            return self._done(self._scan, state, inputs, drawn)

    def _done(self, function: Any, state: list[Any], inputs: Any, drawn: Any) -> list[Array]:
        """Run it, keep the new state and give the results.

        The memory of the old state is given away. So it is forgotten first: if the call is
        interrupted, what the tensors show is what the next step begins with.
        """
        self._held = []
        outputs, state = function(state, inputs, self._numbers(), drawn)
        self._fetch(*outputs, *state)
        self._keep(state)
        return [np.asarray(o) for o in outputs]

    def _put(self, array: Array, sharding: Any) -> Any:
        """An array on its devices; without a sharding JAX takes it from here by itself."""
        if isinstance(array, np.ndarray) and not array.dtype.isnative:
            array = array.astype(native(array.dtype))
        return array if sharding is None else self.jax.device_put(array, sharding)

    def _fetch(self, *arrays: Any) -> None:
        """Begin every copy home at once: one after the other, each would wait for the last."""
        if self.far:
            for there in arrays:
                there.copy_to_host_async()

    def _draw(self) -> list[Array]:
        """Draw on this side what the step draws, in its order."""
        drawn = []
        for e in self.draws:
            (source,) = e.inputs
            cell = self.generators[id(source)]
            generator = getattr(cell.owner, cell.slot) if cell.slot else cell.owner
            drawn.append(e.op.forward(generator, **e.attrs))
        return drawn

    def _state(self) -> list[Any]:
        """The state on the devices, with whatever was assigned or written from outside since."""
        known = self._held or [(None, None, None)] * len(self.living)
        state = []
        for cell, (shown, copy, there) in zip(self.living, known, strict=True):
            now = cell.owner._data if cell.slot == "data" else cell.owner._grad
            if now is None:
                now = np.zeros(cell.after.shape, native(cell.after.dtype))
            elif now.shape != cell.after.shape or native(now.dtype) != native(cell.after.dtype):
                raise StaleError
            untouched = now is shown and _same_bits(now, copy)
            state.append(there if untouched else self._put(np.array(now), self.whole))
        return state

    def _keep(self, state: list[Any]) -> None:
        """Show the new state, as copies: the devices' own memory is given away to the next step."""
        held = []
        for cell, there in zip(self.living, state, strict=True):
            copy = np.array(there)
            shown = copy.copy()
            setattr(cell.owner, "_data" if cell.slot == "data" else "_grad", shown)
            held.append((shown, copy, there))
        self._held = held
        for cell in self.program.writes:
            if not lives_on(cell):
                content = cell.after if cell.after is None else np.array(cell.after)
                setattr(cell.owner, "_data" if cell.slot == "data" else "_grad", content)

    def _numbers(self) -> list[Any]:
        values = []
        for cell in self.given:
            value = getattr(cell.owner, cell.slot)
            values.append(self._put(value, self.whole) if isinstance(value, np.ndarray) else value)
        return values


def _same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays that lie in order in memory hold the same, NaN and signs of zeros too."""
    whole = f"u{a.dtype.itemsize}"
    return np.array_equal(a.view(whole), b.view(whole))


def _x64(jax: Any) -> Any:
    """Sixty-four bits for the time of a call, whatever the process has chosen."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64

    return enable_x64()
