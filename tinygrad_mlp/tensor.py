"""Tensor: an array that remembers how it was computed.

This file knows what a tensor holds, how applying an op records a node, and how tensors meet
Python and NumPy. It knows no op by name: operators and NumPy functions are spelled in
`ops.operand`, rules live in their records, and backpropagation in `autodiff`.

A tensor is a node of the graph. It points to its inputs and never to its outputs, so a loss
that nobody holds takes its whole graph with it, by reference count alone. It keeps the very
arrays it was computed from (`values`), so a later ``w.data = …`` leaves old graphs exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from tinygrad_mlp import alarms, cells, writes
from tinygrad_mlp.arrays import as_array, history_lost
from tinygrad_mlp.autodiff import backpropagate, first_gradient, grad_enabled
from tinygrad_mlp.dialects import INSTEAD, Elsewhere
from tinygrad_mlp.errors import DTypeError, ShapeError, UsageError
from tinygrad_mlp.graph import describe, noted, title
from tinygrad_mlp.ops import READERS, Array, Attrs, Op, Operand
from tinygrad_mlp.ops.arithmetic import add
from tinygrad_mlp.origin import Scope, Site, here, tick, user_site
from tinygrad_mlp.refusals import refused, unreachable

__all__ = ["Tensor", "astensor", "leaf", "record", "tensor"]

ndarray, generic, asarray = np.ndarray, np.generic, np.asarray  # a name in NumPy costs 25 ns
NUMBERS = frozenset((float, int, bool))
NOTHING: Attrs = {}
_new = object.__new__


class Tensor(Operand):
    """An n-dimensional array of numbers that remembers how it was computed.

    Args:
        data: A number, a nested list, an array or a tensor without history. Copied.
        requires_grad: Whether gradients shall flow here. Only floats can have one.
        name: What pictures and messages call it.
        dtype: The dtype; by default an array keeps its own and Python numbers are float64.
        copy: False shares the caller's array. Then it must not change until backward has run.

    Raises:
        DTypeError: For complex, text and object data, and for whole numbers that need a
            gradient.
        UsageError: If `data` contains tensors with a history, which would be lost.

    >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> y = (w * w).sum()
    >>> y.backward()
    >>> w.grad
    array([2., 4.])
    """

    __slots__ = (
        "__weakref__",
        "_data",
        "_grad",
        "attrs",
        "birth",
        "hooks",
        "inputs",
        "name",
        "op",
        "requires_grad",
        "role",
        "scope",
        "site",
        "stale",
        "values",
    )

    op: Op | None
    """The op that made it; None for a leaf."""
    inputs: tuple[Tensor | None, ...]
    """The tensors that each value came from; None for a constant."""
    values: tuple[Array, ...]
    """The arrays that took part, as a rule takes them: the output, then the inputs."""
    role: str
    """What it is for: ``"Tensor"``, or what a module keeps it as (see `nn.parameter`). A role
    and not a subclass: two types at one place of the engine cost 25 ns an attribute."""

    def __init__(
        self,
        data: Any,
        requires_grad: bool = False,
        *,
        name: str | None = None,
        dtype: Any = None,
        copy: bool = True,
    ) -> None:
        if type(data) is ndarray and dtype is None and data.dtype.kind in "fbiu":
            array = data.copy() if copy else data
        else:
            array = _as_array(data, dtype, copy=copy)
        if requires_grad and array.dtype.kind != "f":
            raise DTypeError(
                f"a tensor of {array.dtype} cannot need a gradient",
                why="only real numbers have slopes",
                fix="Use Tensor(array.astype(float), requires_grad=True).",
            )
        self._data = array
        self._grad: Any = None
        self.requires_grad = requires_grad
        self.name = name
        self.role = "Tensor"
        self.op = None
        self.inputs = ()
        self.values = ()
        self.attrs: Attrs = NOTHING
        self.hooks: dict[int, Callable[[Array], Array | None]] | None = None
        self.birth = tick()
        self.stale = False
        self.scope: Scope = here.scope
        self.site: Site = (self.scope and self.scope[2]) or user_site()

    # -- what it holds -----------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The array. Assigning rebinds it: graphs that exist keep the array they used.

        ``t.data -= …`` writes in place, and backward will refuse a graph that used the old
        values. A write through ``t.data[i] = …`` cannot be seen.
        """
        return cells.mine().read(self, "data", self._data) if cells.watched else self._data

    @data.setter
    def data(self, value: Any) -> None:
        if cells.watched:
            cells.mine().wrote(self, "data")
        self.stale = True
        if value is self._data:
            writes.note_write(value)
        else:
            self._data = value if type(value) is ndarray else _plain(value)

    @property
    def grad(self) -> Any:
        """The gradient, an array of this shape (a tensor after ``create_graph=True``).

        None until a backward pass has reached it.
        """
        return cells.mine().read(self, "grad", self._grad) if cells.watched else self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            if np.shape(value) != self.shape:
                raise ShapeError(
                    f"{describe(self)} has shape {self.shape}, its new gradient {np.shape(value)}",
                    why="a gradient has the shape of its tensor",
                )
            self.stale = False
        if cells.watched:
            cells.mine().wrote(self, "grad")
        self._grad = value if value is None or type(value) in READERS else np.asarray(value)

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self._data.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._data.size

    @property
    def dtype(self) -> Any:
        """NumPy's dtype of the entries."""
        return self._data.dtype

    @property
    def is_leaf(self) -> bool:
        """Whether it was given, not computed."""
        return self.op is None

    def numpy(self) -> Array:
        """The array, as a view that cannot be written through."""
        view = self.data.view()
        view.flags.writeable = False
        return view

    def item(self) -> Any:
        """The one number as a Python number: the explicit way out of the graph."""
        return self.data.item()

    def tolist(self) -> Any:
        """The numbers as nested Python lists."""
        return self.data.tolist()

    def detach(self) -> Tensor:
        """The same array (shared) without history: gradients stop here."""
        t = Tensor(self._data, name=self.name, copy=False)
        if self.requires_grad:
            t.attrs = noted("detach()", t.site, self)
        return t

    # -- backward ----------------------------------------------------------------------------

    def backward(  # noqa: C901 - the one door to the engine, with its warnings
        self,
        gradient: Any = None,
        *,
        create_graph: bool = False,
        keep_graph: bool = True,
        retain_graph: bool | None = None,
    ) -> None:
        """Fill in the gradient of everything this was computed from.

        Args:
            gradient: The gradient to start from, of this tensor's shape; by default 1, which
                only a single number can have.
            create_graph: Record the backward pass too, so that the gradients are tensors that
                can be run backward again.
            keep_graph: If false, forget each node as soon as it is done with: less memory,
                but no picture and no second backward.
            retain_graph: PyTorch's name for `keep_graph`.

        Leaves add up the gradients of several calls; other nodes show the latest.

        Raises:
            ShapeError: If it is not a single number and `gradient` is not given.
            GraphError: If nothing here needs a gradient, or the graph was freed.
            InPlaceError: If a value was overwritten after it had been used.
        """
        if not self.requires_grad:
            raise unreachable(self)
        if retain_graph is not None:
            keep_graph = retain_graph
        seed = first_gradient(self, gradient)
        if create_graph:
            seed = astensor(seed)
        elif isinstance(seed, Tensor):
            seed = seed._data
        captures = cells.watched > 0 and cells.capturing()
        if captures:
            cells.mine().phase("backward")
        elif gradient is None:
            loss = self._data.item()
            if loss - loss:  # zero, unless it is infinite or no number
                alarms.not_finite(self)
        try:
            oldest = backpropagate(
                self,
                seed,
                create_graph=create_graph,
                keep_graph=keep_graph or captures,
                arrive=_keep,
            )
        except BaseException:
            here.outdated = []
            raise
        if captures:
            cells.mine().phase("update")
        if here.outdated:
            outdated, here.outdated = here.outdated, []  # also if the warning is an error
            alarms.out_of_date(outdated)
        if keep_graph and not create_graph:
            past = here.past
            if oldest < past[-3]:
                alarms.reaches_back(self, past)
            past.append(self.birth)

    def operands(self) -> tuple[Array, ...]:
        """`values` as tensors that are part of the graph, for a backward pass that records."""
        own, *used = self.values
        return (
            _as_used(self, own),
            *(v if x is None else _as_used(x, v) for x, v in zip(self.inputs, used, strict=True)),
        )

    def register_hook(self, hook: Callable[[Array], Array | None]) -> Callable[[], None]:
        """Call `hook` with the gradient whenever it arrives here; it may return another.

        It cannot write into the one it is given, which other tensors may share.

        Returns:
            A function that removes the hook again.
        """
        if self.hooks is None:
            self.hooks = {}
        number = tick()
        hooks = self.hooks
        hooks[number] = hook
        return lambda: hooks.pop(number, None) and None

    # -- Python ------------------------------------------------------------------------------

    def __repr__(self) -> str:
        text = np.array2string(self._data, separator=", ", prefix="Tensor(", threshold=60)
        facts = [text, f"shape={self.shape}"]
        if self.dtype != np.float64:
            facts.append(f"dtype={self.dtype}")
        if self.op is not None:
            facts.append(f"op={self.op.name}")
        elif self.requires_grad:
            facts.append("requires_grad=True")
        if self.name:
            facts.append(f"name={self.name!r}")
        return f"{self.role}({', '.join(facts)})"

    def _repr_html_(self) -> str:
        from tinygrad_mlp.viz.display import tensor_html

        return tensor_html(self)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise UsageError("len() of a single number", fix="Use t.size, which is 1.")
        return self.shape[0]

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self.size != 1:
            raise UsageError(
                f"the truth value of {self.size} numbers at once",
                fix="Use (t > 0).data.any() or .all().",
            )
        return bool(self.data)

    def _leave(self, function: str) -> Any:
        """The one number for a function of Python's that gradients cannot flow through."""
        if self.requires_grad:
            raise UsageError(
                f"{function} of {describe(self)}, which needs a gradient",
                why="the number that comes out remembers nothing",
                fix="Use np.exp(t) and its like, which are followed, or t.item() to leave.",
            )
        return self.data.item()

    def __float__(self) -> float:
        return float(self._leave("float()"))

    def __int__(self) -> int:
        return int(self._leave("int()"))

    def __index__(self) -> int:
        return self.data.__index__()  # type: ignore[no-any-return]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        if self.requires_grad:
            raise UsageError(
                f"{describe(self)} needs a gradient, and an array would not remember it",
                fix="Use t.numpy() or t.data for the plain numbers; of a list of tensors, "
                "[t.item() for t in losses].",
            )
        if dtype is not None and dtype != self.dtype:
            return self._data.astype(dtype)
        return self._data.copy() if copy else self.numpy()

    def __setitem__(self, key: Any, value: Any) -> None:
        raise UsageError(
            "t[i] = v would change a value that others may have used",
            fix="Use np.where(mask, v, t), or t.data[i] = v before the forward pass.",
        )

    def _in_place(self, sign: str, result: Callable[[], Self]) -> Self:
        if self.op is None and self.requires_grad:
            name = title(self) or "w"
            raise UsageError(
                f"{name} {sign}= … on a leaf that needs a gradient",
                why="it would become the result of an op, and no longer the weight",
                fix=f"Write {name}.data = {name}.data {sign} …; no_grad() is not needed for it.",
            )
        return result()

    def __iadd__(self, other: Array) -> Self:
        return self._in_place("+", lambda: self + other)

    def __isub__(self, other: Array) -> Self:
        return self._in_place("-", lambda: self - other)

    def __imul__(self, other: Array) -> Self:
        return self._in_place("*", lambda: self * other)

    def __itruediv__(self, other: Array) -> Self:
        return self._in_place("/", lambda: self / other)

    def __imatmul__(self, other: Array) -> Self:
        return self._in_place("@", lambda: self @ other)

    def __ipow__(self, other: Array) -> Self:
        return self._in_place("**", lambda: self**other)

    def __copy__(self) -> Tensor:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        restore, parts = self.__reduce__()
        twin: Tensor = restore(*parts)
        memo[id(self)] = twin
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        if self.op is not None:
            raise history_lost(self, "a copy")
        return _restore, (self._data, self.requires_grad, self.name, self.role)


for _name in INSTEAD:
    setattr(Tensor, _name, Elsewhere(_name))


def _restore(data: Array, requires_grad: bool, name: str | None, role: str) -> Tensor:
    t = Tensor(data, requires_grad, name=name)
    t.role = role
    return t


tensor = Tensor


def astensor(value: Any, *, copy: bool = True) -> Tensor:
    """`value` as a tensor; a tensor stays the tensor it is."""
    if isinstance(value, Tensor):
        return value
    if type(value) is ndarray and value.dtype.kind in "fbiu":
        scope = here.scope
        site = (scope and scope[2]) or user_site()
        return leaf(value.copy() if copy else value, scope, site)
    return Tensor(value, copy=copy)


def leaf(array: Array, scope: Scope = None, site: Site = None) -> Tensor:
    """A tensor without history around an array that is its own: what `Tensor` makes, sooner."""
    t: Tensor = _new(Tensor)
    t._data = array
    t._grad = t.name = t.op = t.hooks = None
    t.role = "Tensor"
    t.requires_grad = t.stale = False
    t.inputs = t.values = ()
    t.attrs = NOTHING
    t.birth = tick()
    t.scope = scope
    t.site = site
    return t


# -- recording -------------------------------------------------------------------------------


def record(  # noqa: C901, PLR0912, PLR0915 - hot: a call for each op, and every test costs
    op: Op, inputs: tuple[Array, ...], attrs: Attrs
) -> Tensor:
    """Apply an op to tensors: compute, and remember how. This is the tensors' reader."""
    values: list[Array] = []
    needed = constants = False
    for x in inputs:
        if isinstance(x, Tensor):
            values.append(x._data)
            if x.requires_grad:
                needed = True
        else:
            constants = True
            values.append(x if type(x) in NUMBERS else _constant(x))
    watcher = cells.mine() if cells.watched else None
    try:
        if watcher is not None:
            y = watcher.apply(op, inputs, values, attrs)
        else:
            y = op.forward(*values, **attrs) if attrs else op.forward(*values)
    except (ValueError, TypeError, IndexError) as error:
        raise refused(op, inputs, error) from error
    if type(y) is not ndarray and isinstance(y, generic):
        y = asarray(y)
    sources = inputs
    if constants:
        inputs = tuple([x if isinstance(x, Tensor) else None for x in inputs])
    if needed and op.leaky:
        needed = any(
            x is not None and x.requires_grad and op.flows(i) for i, x in enumerate(inputs)
        )
    node: Tensor = _new(Tensor)
    node._data = y
    node._grad = node.name = node.hooks = None
    node.role = "Tensor"
    node.attrs = attrs
    node.birth = tick()
    node.scope = scope = here.scope
    node.site = (scope and scope[2]) or user_site(3)
    if needed and grad_enabled.get():
        node.requires_grad = True
        node.op = op
        node.inputs = inputs
        node.values = (y, *values)
    else:
        node.requires_grad = False
        node.op = None
        node.inputs = node.values = ()
        node.attrs = NOTHING
        node.stale = False
        for x in inputs:
            if x is not None:
                if "cut" in x.attrs:
                    node.attrs = x.attrs
                    break
                if x.requires_grad:
                    node.attrs = noted("no_grad()" if needed else op.name, node.site, x)
                    break
    if watcher is not None:
        watcher.recorded(node, op, sources)
    return node


READERS[Tensor] = record


def _constant(x: Any) -> Array:
    """An input that is no tensor, safe from later changes by its owner."""
    if type(x) is ndarray:
        return x.copy()
    if type(x) in READERS or isinstance(x, np.generic):
        return x
    return _as_array(x, None, copy=True)


def _as_used(x: Tensor, value: Array) -> Tensor:
    """`x`, or a stand-in for what it held when it was used if it was rebound since."""
    if x._data is value:
        return x
    past = record(add, (x, 0.0), {})
    past._data = value
    return past


def _keep(node: Tensor, gradient: Array) -> None:
    """Store a gradient that arrived: leaves add up, other nodes show the latest."""
    if node.op is None:
        if node._grad is None:
            node.stale = False
        else:
            gradient = _added(node, gradient)
    elif isinstance(gradient, Tensor):
        gradient = gradient.detach()  # its history holds the node: that would be a cycle
    if type(gradient) is not ndarray and isinstance(gradient, np.generic):
        gradient = np.asarray(gradient)
    node._grad = gradient


def _added(leaf: Tensor, gradient: Array) -> Array:
    """The sum of the gradients of several backward passes."""
    old = leaf.grad
    if old.shape != gradient.shape:
        raise ShapeError(
            f"{describe(leaf)} has a gradient of shape {old.shape}, and now gets {gradient.shape}",
            why="the gradient is from before its data was replaced by another shape",
            fix="Forget it first: optimizer.zero_grad(), or t.grad = None.",
        )
    if leaf.stale:
        leaf.stale = False  # said once; the next step makes it stale again
        if not cells.capturing() and alarms.worth_saying(leaf):
            here.outdated.append(leaf)
    return old + gradient


def _plain(value: Any) -> Array:
    """What may be assigned to ``.data``: an array, or what stands for one."""
    if isinstance(value, Tensor):
        return value._data
    if type(value) in READERS:
        return value
    return _as_array(value, None, copy=False)


def _as_array(data: Any, dtype: Any, *, copy: bool) -> Array:
    """`as_array`, which may also be given a tensor that was not computed."""
    if isinstance(data, Tensor):
        if data.op is not None:
            raise history_lost(data)
        data = data._data
    return as_array(data, dtype, copy=copy)
