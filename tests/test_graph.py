"""The graph as data: order, names, the user's line; modes and hooks, which act on recording."""

from __future__ import annotations

import ast
import functools
import inspect
import threading
from pathlib import Path

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import origin
from tinygrad_mlp.errors import UsageError
from tinygrad_mlp.graph import ancestors, describe, names
from tinygrad_mlp.ops import REGISTRY
from tinygrad_mlp.origin import place


def leaf(value=1.0, name=None):
    return tg.Tensor(value, requires_grad=True, name=name)


# ------------------------------------------------------------------ order


def test_ancestors_are_oldest_first_and_each_once():
    x = leaf()
    h = x * 2
    y = h * h + x
    order = ancestors(y)
    births = [node.birth for node in order]
    assert births == sorted(set(births))
    assert order[0] is x
    assert order[-1] is y
    assert len(order) == 4


def test_constants_are_collected_on_request():
    x, c = leaf(), tg.Tensor(3.0)
    y = x * c
    assert [node.birth for node in ancestors(y)] == [x.birth, y.birth]
    everything = ancestors(y, through_constants=True)
    assert [node.birth for node in everything] == [x.birth, c.birth, y.birth]


def test_a_result_that_needs_no_gradient_remembers_nothing():
    y = tg.Tensor(2.0) * tg.Tensor(3.0)
    assert y.op is None
    assert y.inputs == ()
    assert y.values == ()


# ------------------------------------------------------------------ names


def test_names_in_their_order_of_preference():
    weight = leaf(name="w")
    hidden = weight * 2
    loss = (hidden + 1) * hidden
    called = names(ancestors(loss))
    assert called[weight.birth] == "w"
    assert called[hidden.birth] == "hidden"
    assert called[loss.birth] == "loss"
    assert "add" in called.values()


def test_every_name_is_given_once():
    def make():
        h = leaf() * 2
        return np.positive(h)

    a, b = make(), make()
    total = np.exp(a) + np.exp(b) * np.exp(a)
    called = list(names(ancestors(total)).values())
    assert len(set(called)) == len(called)
    assert {"h", "h_2", "exp", "exp_2", "total"} <= set(called)


def test_a_name_that_looks_like_a_numbered_one_is_not_taken_twice():
    nodes = [leaf(name="a"), leaf(name="a_2"), leaf(name="a"), leaf(name="a")]
    called = list(names(nodes).values())
    assert len(set(called)) == 4


def test_describe_says_name_line_and_op():
    x = leaf(name="x")
    h = x * 2
    assert describe(h).startswith("'h' (test_graph.py:")
    assert describe(h).endswith(", mul)")
    assert describe(x * 2).startswith("a tensor (test_graph.py:")


# ------------------------------------------------------------------ the user's line


def every_way(x, w, mask):
    """One op on each line; the test looks for the line of each result."""
    results = {}
    results["operator"] = x + 1
    results["reflected"] = 1 + x
    results["array first"] = np.ones(3) * x
    results["matrix"] = x @ w
    results["method"] = x.sum()
    results["method of operand"] = x.mean(axis=0)
    results["ufunc"] = np.exp(x)
    results["function"] = np.concatenate([x, x])
    results["composition"] = np.dot(x, x)
    results["record"] = REGISTRY["sigmoid"](x)
    results["index"] = x[0]
    results["property"] = w.T
    results["comparison"] = np.where(mask, x, 0.0)
    results["power"] = x**2
    results["negative"] = -x
    results["leaf"] = tg.Tensor(1.0)
    return results


def test_the_users_line_and_expression_are_right_whatever_was_called():
    source, first = inspect.getsourcelines(every_way)
    wanted = {}
    for statement in ast.parse("".join(source)).body[0].body[2:-1]:
        key = statement.targets[0].slice.value
        wanted[key] = (first + statement.lineno - 1, ast.unparse(statement.value))
    results = every_way(leaf(np.ones(3)), leaf(np.ones((3, 2))), np.array([True, False, True]))
    for key, tensor in results.items():
        spot = place(tensor.site)
        assert spot.file == __file__
        assert spot.function == "every_way"
        assert (spot.line, ast.unparse(ast.parse(spot.expression))) == wanted[key], key


def test_the_variable_that_a_value_was_assigned_to():
    x = leaf()
    local = x + 1
    first, second = x + 1, x + 2
    items = [x + 3]
    assert place(local.site).variable == "local"
    assert place(first.site).variable in {"first", None}
    assert place(second.site).variable in {"second", None}
    assert place(items[0].site).variable is None
    assert place((x * 2).site).variable is None


# ------------------------------------------------------------------ modes


def test_no_grad_and_enable_grad_nest():
    x = leaf()
    seen = [(x * 2).requires_grad]
    with tg.no_grad():
        seen.append((x * 2).requires_grad)
        with tg.enable_grad():
            seen.append((x * 2).requires_grad)
        seen.append((x * 2).requires_grad)
    seen.append((x * 2).requires_grad)
    assert seen == [True, False, True, False, True]


def test_modes_as_decorators_also_recursively():
    x = leaf()

    @tg.no_grad()
    def quiet(depth=2):
        if depth:
            quiet(depth - 1)
        return (x * 2).requires_grad, recorded()

    @tg.enable_grad()
    def recorded():
        return (x * 2).requires_grad

    assert quiet() == (False, True)
    assert (x * 2).requires_grad


@pytest.mark.parametrize("mode", [tg.no_grad, tg.enable_grad])
def test_a_decorator_refuses_what_runs_later(mode):
    def batches():
        yield leaf()

    async def later():
        return leaf()

    async def stream():
        yield leaf()

    for function in (batches, later, stream, functools.partial(batches)):
        with pytest.raises(UsageError, match=r"Write with tg\.\w+\(\): inside it") as caught:
            mode()(function)
        assert f"@{mode.__name__}() on" in caught.value.what
        assert "test_graph.py:" in str(caught.value)
    with pytest.raises(UsageError, match="on 'batches', which is a generator"):
        mode()(batches)


def test_an_exception_ends_a_mode():
    x = leaf()
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        1 / 0  # noqa: B018
    assert (x * 2).requires_grad


def test_one_mode_object_can_be_entered_again():
    x = leaf()
    mode = tg.no_grad()
    for _ in range(2):
        with mode, mode:
            assert not (x * 2).requires_grad
        assert (x * 2).requires_grad


def test_decorated_functions_in_many_threads():
    x = leaf()
    seen = []

    @tg.no_grad()
    def quiet(barrier):
        barrier.wait(5)
        seen.append((x * 2).requires_grad)
        barrier.wait(5)

    barrier = threading.Barrier(3)
    threads = [threading.Thread(target=quiet, args=(barrier,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    barrier.wait(5)
    assert (x * 2).requires_grad
    barrier.wait(5)
    for thread in threads:
        thread.join()
    assert seen == [False, False]


# ------------------------------------------------------------------ hooks


def test_a_hook_sees_the_whole_gradient_once():
    seen = []
    x = leaf(3.0)
    h = x * 2
    h.register_hook(lambda g: seen.append(float(g)))
    (h * h + h).backward()
    assert seen == [13.0]
    assert x.grad == 26


def test_a_hook_may_change_what_flows_on():
    x = leaf(3.0)
    h = x * 2
    h.register_hook(lambda g: g * 10)
    h.register_hook(lambda g: g + 1)
    h.backward()
    assert h.grad == 11
    assert x.grad == 22


def test_a_hook_can_be_removed_also_while_it_runs():
    x = leaf(3.0)
    seen = []

    def once(g):
        seen.append(float(g))
        remove()

    remove = x.register_hook(once)
    stay = x.register_hook(lambda g: seen.append("second"))
    (x * 2).backward()
    (x * 2).backward()
    stay()
    stay()
    (x * 2).backward()
    assert seen == [2.0, "second", "second"]


def test_a_hook_of_a_recorded_backward_pass_is_recorded():
    x = leaf(3.0)
    x.register_hook(lambda g: g * x)
    (x * x).backward(create_graph=True)
    first, x.grad = x.grad, None
    x.hooks.clear()
    first.backward()
    assert first.item() == 18
    assert x.grad == 12


def test_a_neighbour_of_the_package_is_no_part_of_it():
    package = Path(tg.__file__).parent
    assert origin.inside(str(package / "tensor.py"))
    assert not origin.inside(f"{package}_notes.py")
    assert not origin.inside(str(Path(f"{package}_extras") / "layers.py"))


def test_the_same_text_in_two_files_is_two_places(tmp_path):
    """Python takes the code of copied scripts for equal; messages must not."""
    text = "import tinygrad_mlp as tg\ny = tg.Tensor(1.0) * 2\n"
    files = [tmp_path / name for name in ("one.py", "two.py")]
    spots = []
    for file in files:
        file.write_text(text)
        space = {}
        exec(compile(text, str(file), "exec"), space)  # noqa: S102 - two scripts
        spots.append(place(space["y"].site))
    assert [spot.file for spot in spots] == list(map(str, files))
