"""Module: something with parameters that can be called.

This file knows how a module finds what belongs to it, and that a call leaves a trace of where
it is. It knows no layer. There is no registration: parameters, buffers and sub-modules are
looked up in a module's attributes when somebody asks, in lists, tuples and dicts at any depth.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np

from tinygrad_mlp.autodiff import no_grad
from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.nn import state, watching
from tinygrad_mlp.nn.parameter import Buffer, Parameter
from tinygrad_mlp.ops import Array
from tinygrad_mlp.origin import here, user_site
from tinygrad_mlp.tensor import Tensor

__all__ = ["Module"]


class Module:
    """The base of every layer, loss and model: subclass it and write ``forward``.

    Whatever is assigned to its attributes and is a parameter, a buffer, a module, or a list,
    tuple or dict of them (at any depth), belongs to it. A leaf tensor that needs a gradient
    counts as a parameter. What is kept in two places is one thing with two paths.

    >>> import numpy as np
    >>> class Scale(Module):
    ...     def __init__(self):
    ...         self.factors = [Parameter(2.0), Parameter(3.0)]
    ...     def forward(self, x):
    ...         return x * self.factors[0] * self.factors[1]
    >>> scale = Scale()
    >>> scale(np.ones(2))
    Tensor([6., 6.], shape=(2,), op=mul)
    >>> [name for name, _ in scale.named_parameters()]
    ['factors.0', 'factors.1']
    """

    training: bool = True
    """Whether it behaves as in training (dropout drops); `train` and `eval` set it."""

    shipped: ClassVar[bool] = True
    """Whether the lines of its ``forward`` are the package's, not the user's."""

    def __init_subclass__(cls) -> None:
        cls.shipped = cls.__module__.startswith(_PACKAGE)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output: every module writes its own."""
        raise UsageError(
            f"{type(self).__name__} cannot be called",
            why="it does not say what it computes",
            fix="Define forward(self, x) in the class.",
        )

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run `forward`, and let every node made meanwhile know where it was made."""
        mine = here.__dict__  # this thread's: asking `here` three times would cost twice as much
        outer = mine["scope"]
        site = ((outer and outer[2]) or user_site()) if self.shipped else None
        mine["scope"] = (outer, self, site)
        try:
            return self.forward(*inputs, **options) if options else self.forward(*inputs)
        except (AttributeError, TypeError) as error:
            better = self._explained(error, len(inputs) + len(options))
            if better is not None:
                raise better from None
            better = state.no_tensor(self, error, (*inputs, *options.values()))
            if better is None:
                raise
            raise better from error
        finally:
            mine["scope"] = outer

    def _explained(self, error: Exception, given: int) -> Exception | None:
        """A missing attribute that a shipped ``__init__`` would have set, said plainly."""
        kind = type(self)
        if not isinstance(error, AttributeError):
            return None
        shipped = [c for c in kind.__mro__ if c.__module__.startswith(_PACKAGE)]
        promised = {name for c in shipped for name in inspect.get_annotations(c)}
        if error.obj is not self or error.name not in promised or kind in shipped:
            return None
        return UsageError(
            f"{kind.__name__} has no {error.name!r}",
            why=f"{kind.__name__}.__init__ never ran {shipped[0].__name__}.__init__",
            fix=f"Begin {kind.__name__}.__init__ with super().__init__(...).",
        )

    # -- what belongs to it ------------------------------------------------------------------

    def members(self) -> Iterable[tuple[str, Any]]:
        """What it keeps, by name: its attributes, unless a module says otherwise."""
        return self.__dict__.items()

    def _walk(self, *, once: bool = False) -> Iterator[tuple[str, Any]]:
        """Every module and tensor that belongs to it, under each of its paths; itself first.

        Args:
            once: Enter a module or container only where it is met first. Otherwise only those
                are passed over that the path itself leads through, as from a child to its parent.
        """
        entered: set[int] = set()
        waiting: list[tuple[str | None, Any]] = [("", self)]
        while waiting:
            path, item = waiting.pop()
            inside: Iterable[tuple[Any, Any]]
            if path is None:  # everything in it has been met
                entered.discard(id(item))
                continue
            if isinstance(item, Tensor):
                yield path, item
                continue
            if isinstance(item, Module):
                inside = item.members()
            elif isinstance(item, Mapping):
                inside = item.items()
            elif isinstance(item, list | tuple):
                inside = enumerate(item)
            else:
                continue
            if id(item) in entered:
                continue
            entered.add(id(item))
            if not once:
                waiting.append((None, item))
            if isinstance(item, Module):
                yield path, item
            prefix = f"{path}." if path else ""
            waiting.extend([(f"{prefix}{name}", part) for name, part in inside][::-1])

    def named_modules(self, *, remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """Itself (its path is ``""``) and every module in it, each once.

        Args:
            remove_duplicate: If False, a module that is kept in several places has its turn
                under each of its paths.
        """
        walk = self._walk(once=remove_duplicate)
        return ((path, item) for path, item in walk if isinstance(item, Module))

    def modules(self) -> Iterator[Module]:
        """Itself and every module in it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside it, by path, each once; not what is inside them.

        >>> from tinygrad_mlp import nn
        >>> [path for path, _ in nn.Sequential(nn.Residual(nn.Tanh()), nn.ReLU()).named_children()]
        ['0', '1']
        """
        seen: set[int] = set()
        around: str | None = None
        for path, module in self.named_modules(remove_duplicate=False):
            if path and (around is None or not path.startswith(around)):
                around = f"{path}."
                if id(module) not in seen:
                    seen.add(id(module))
                    yield path, module

    def children(self) -> Iterator[Module]:
        """The modules directly inside it, each once."""
        return (module for _, module in self.named_children())

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every parameter with its path, as in ``layers.0.weight``; a shared one once."""
        return self._named_once(_is_parameter)

    def parameters(self) -> Iterator[Tensor]:
        """Every parameter, each once: what an optimiser is made with."""
        return state.Parameters(self)

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Every buffer with its path; a shared one once."""
        return self._named_once(_is_buffer)

    def _named_once(self, wanted: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for path, item in self._walk(once=True):
            if wanted(item) and item.birth not in seen:
                seen.add(item.birth)
                yield path, item

    def named_state(self) -> Iterator[tuple[str, Tensor]]:
        """Every parameter and buffer under each of its paths: what `state_dict` holds."""
        for path, item in self._walk():
            if _is_buffer(item) or _is_parameter(item):
                yield path, item

    def get_submodule(self, path: str) -> Module:
        """The module at a path, as in ``layers.0``.

        Raises:
            StateError: If there is none; the message says what is near.
        """
        modules = dict(self.named_modules(remove_duplicate=False))
        if path not in modules:
            raise state.no_such("module", path, modules)
        return modules[path]

    def get_parameter(self, path: str) -> Tensor:
        """The parameter at a path, as in ``layers.0.weight``.

        Raises:
            StateError: If there is none; the message says what is near.

        >>> from tinygrad_mlp import nn
        >>> nn.MLP(2, [5], 1).get_parameter("0.weight").shape
        (5, 2)
        """
        found = {name: item for name, item in self.named_state() if _is_parameter(item)}
        if path not in found:
            raise state.no_such("parameter", path, found)
        return found[path]

    # -- what can be done to all of it -------------------------------------------------------

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function` with every module in it, those inside a module first.

        >>> from tinygrad_mlp import nn
        >>> def start(module):
        ...     if isinstance(module, nn.Linear):
        ...         module.bias.data = np.zeros(module.out_features)
        >>> nn.MLP(2, [2], 1).apply(start)[0].bias.tolist()
        [0.0, 0.0]
        """
        around: list[tuple[str, Module]] = []
        for path, module in list(self.named_modules()):
            while around and not path.startswith(around[-1][0]):
                function(around.pop()[1])
            around.append((f"{path}." if path else "", module))
        while around:
            function(around.pop()[1])
        return self

    def zero_grad(self) -> None:
        """Forget the gradient of every parameter."""
        for _, parameter in self.named_parameters():
            parameter.grad = None

    def train(self, mode: bool = True) -> Self:
        """Behave as in training, here and in every module inside."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Behave as in use, not as in training."""
        return self.train(mode=False)

    @contextmanager
    def in_mode(self, *, training: bool) -> Iterator[Self]:
        """`train` or `eval` for a block; then every module is in the mode in which it was."""
        modes = [(module, module.training) for module in self.modules()]
        self.train(training)
        try:
            yield self
        finally:
            for module, mode in modes:
                module.training = mode

    @contextmanager
    def evaluating(self) -> Iterator[Self]:
        """For a block: behave as in use, and record no graph.

        >>> from tinygrad_mlp import nn
        >>> model = nn.Sequential(nn.Linear(2, 1), nn.Dropout(0.5))
        >>> with model.evaluating():
        ...     model.training, model(np.ones(2)).requires_grad
        (False, False)
        >>> model.training
        True
        """
        with self.in_mode(training=False), no_grad():
            yield self

    def requires_grad_(self, mode: bool = True) -> Self:
        """Train every parameter, or freeze them all; frozen ones keep their places.

        A plain tensor is one of them only for as long as it needs a gradient, so it is made a
        `Parameter` when it is frozen here.
        """
        for parameter in list(self.parameters()):
            parameter.role = Parameter.__name__
            parameter.requires_grad = mode
        return self

    def astype(self, dtype: Any) -> Self:
        """Give every parameter and buffer of real numbers this dtype.

        Do it before the optimiser is made: its state has the dtype of its parameters.
        """
        for _, item in self.named_state():
            if item.dtype.kind == "f":
                item.data = item.data.astype(dtype)
                item.grad = None
        return self

    # -- its state ---------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """A copy of every parameter and buffer, by path.

        The names are PyTorch's: ``torch.nn.Sequential`` loads the dict of a `Sequential`.
        """
        return {path: np.array(item.data) for path, item in self.named_state()}

    def load_state_dict(self, values: Mapping[str, Any], *, strict: bool = True) -> None:
        """Take over parameters and buffers, all of them or none.

        Args:
            values: Arrays (or anything that NumPy makes arrays of) by path. They are copied
                and get the dtype of what they replace.
            strict: Whether every name must have its counterpart.

        Raises:
            StateError: Lists every difference; nothing has been changed then.
        """
        state.load(self, values, strict=strict)

    # -- what goes through it ----------------------------------------------------------------

    def activations(self, *inputs: Any) -> dict[str, Any]:
        """Run it and return the output of every module in it, by path; its own is under ``""``.

        A module that is called more than once shows its latest output, under its first path.

        >>> from tinygrad_mlp import nn
        >>> model = nn.MLP(2, [5], 1)
        >>> {path: y.shape for path, y in model.activations([0.3, 0.1]).items()}
        {'0': (5,), '1': (5,), '2': (1,), '3': (1,), '': (1,)}
        """
        return watching.activations(self, inputs)

    def summary(self, *inputs: Any) -> watching.Summary:
        """A table of every module: path, class, output shape, parameters, multiply-adds.

        Args:
            *inputs: An input to run it with; without one, shapes and multiply-adds are left out.

        Returns:
            A table that shows itself when it is printed.
        """
        return watching.Summary(self, inputs)

    def multiply_adds(self, output_size: int) -> int:
        """How many multiplications (with an addition each) its own weights take in one call."""
        return 0

    # -- how it shows itself -----------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands between the parentheses of its repr."""
        return ""

    def _repr_html_(self) -> str:
        from tinygrad_mlp.viz.display import module_html

        return module_html(self)

    def __repr__(self) -> str:
        return state.tree(self)


_PACKAGE = __name__.partition(".")[0] + "."


def _is_buffer(item: Any) -> bool:
    return isinstance(item, Buffer)


def _is_parameter(item: Any) -> bool:
    return isinstance(item, Parameter) or (
        isinstance(item, Tensor)
        and item.requires_grad
        and item.op is None
        and not isinstance(item, Buffer)
    )
