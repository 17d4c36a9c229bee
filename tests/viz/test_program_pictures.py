"""The picture of a compiled step: inputs, cells, equations by part, and what is left."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim
from tinygrad_mlp.errors import CaptureError, UsageError


def compiled(model, optimizer=None, calls=2):
    """A step after so many calls."""
    optimizer = optimizer or optim.SGD(model.parameters(), lr=0.1)
    loss_fn = nn.MSELoss()

    def step(x, y):
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = tg.compile(step)
    for _ in range(calls):
        step(np.full((3, 2), 0.3), np.ones((3, 1)))
    return step


def small(calls=2):
    return compiled(nn.MLP(2, [3], 1, bias=False, rng=0), calls=calls)


def deep(count):
    layers = [layer for i in range(count) for layer in (nn.Linear(2, 2, rng=i), nn.Tanh())]
    model = nn.Sequential(*layers, nn.Dropout(0.1, rng=0), nn.Linear(2, 1, rng=0))
    return compiled(model, optim.Adam(model.parameters()))


def test_golden(golden):
    drawing = tg.draw(small())
    golden("viz/program.svg", drawing.svg)
    golden("viz/program.dot", drawing.source)
    golden("viz/program.tree.txt", drawing.text + "\n")
    golden("viz/program.closed.txt", tg.draw(small(), depth=0).text + "\n")


def test_the_same_step_has_the_same_bytes():
    first, second = tg.draw(small()), tg.draw(small(calls=5))
    assert first.svg == second.svg
    assert first.source == second.source


def test_every_equation_has_a_box_in_the_frame_of_its_part():
    step = small()
    picture = tg.draw(step).picture
    titles = {group.key: group.title for group in picture.groups}
    assert list(titles.values()) == ["forward", "backward", "update"]
    ops = [(titles[n.group], n.subtitle) for n in picture.nodes if n.kind == "op"]
    assert ops == [(e.phase, e.op.name) for e in step.program.equations]
    assert [n.title for n in picture.nodes if n.kind == "parameter"] == ["0.weight", "2.weight"]
    assert [n.title for n in picture.nodes if n.kind == "input"] == ["x", "y", "lr"]
    ends = [(n.title, n.subtitle) for n in picture.nodes if n.kind == "output"]
    assert ends[0] == ("loss", "returned")
    assert ("0.weight", "written: 0.weight'1") in ends
    assert len(ends) == len(step.program.outputs) + len(step.program.writes)


def test_every_arrow_leads_forward_and_into_the_operand_it_names():
    picture = tg.draw(deep(3)).picture
    place = {node.key: i for i, node in enumerate(picture.nodes)}
    assert all(place[edge.tail] < place[edge.head] for edge in picture.edges)
    assert len({(edge.head, edge.operand) for edge in picture.edges}) == len(picture.edges)


def test_a_program_and_its_step_are_the_same_picture():
    step = small()
    ours, theirs = tg.draw(step.program).picture, tg.draw(step).picture
    assert ours.nodes == theirs.nodes
    assert ours.edges == theirs.edges
    assert (ours.title, theirs.title) == ("The program", "The program of step")


def test_a_part_that_comes_again_has_a_frame_of_its_own():
    w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")

    @tg.compile
    def twice(x):
        for _ in range(2):
            loss = ((x * w) ** 2).sum()
            w.grad = None
            loss.backward()
            w.data = w.data - 0.1 * w.grad
        return loss

    for _ in range(2):
        twice(np.ones(2))
    titles = [group.title for group in tg.draw(twice).picture.groups]
    assert titles[:2] == ["forward", "backward"]
    assert "backward 2" in titles
    assert tg.draw(twice).svg


def test_random_numbers_come_from_a_cell():
    picture = tg.draw(deep(1)).picture
    drawn = [n for n in picture.nodes if "(generator)" in n.formula]
    assert drawn
    assert any(n.title == "generator" and not n.shape for n in picture.nodes)


def test_a_large_program_is_folded_until_it_fits():
    step = deep(60)
    picture = tg.draw(step).picture
    assert len(step.program.equations) > 2000
    assert len(picture.nodes) < 320
    assert "equations in" in picture.note
    assert len(tg.draw(step, fold=False).picture.nodes) > 2000
    assert len(tg.draw(step, level="modules", fold=False).picture.groups) == 0


def test_before_two_calls_there_is_no_program():
    with pytest.raises(CaptureError, match="not been compiled"):
        tg.draw(small(calls=1))


@pytest.mark.parametrize("options", [{"backward": True}, {"level": "neurons"}, {"mark": 1}])
def test_what_a_program_does_not_have_cannot_be_drawn(options):
    with pytest.raises(UsageError, match="a program is drawn without"):
        tg.draw(small(), **options)


def test_a_hostile_name_is_only_text():
    w = tg.Tensor([1.0], name="</script><img src=x onerror=alert(1)>")

    @tg.compile
    def step(x):
        w.data = w.data + x.data
        return w * 1.0

    for _ in range(2):
        step(np.ones(1))
    drawing = tg.draw(step)
    assert "<img" not in drawing.svg
    assert "<img" not in drawing.html
