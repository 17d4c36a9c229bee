"""Drawn stacks, losses and optimisers: before optimisation bit for bit, after it to 1e-12."""

import numpy as np
from hypothesis import given, settings

import tinygrad_mlp as tg
from tests.program.drawn import recipes
from tests.program.steps import assert_same_bits, several, source_step
from tinygrad_mlp.program import evaluate
from tinygrad_mlp.program.compiled import held, optimised

STEPS = 10


@settings(max_examples=200)
@given(recipes(dtypes=("float64", "float32"), more=True))
def test_the_program_before_optimisation_is_eager_bit_for_bit(recipe):
    ours, theirs = recipe.cook(), recipe.cook()
    step = tg.compile(ours.step)
    for i, (x, y) in enumerate(ours.batches(STEPS)):
        if i == 2:
            step = source_step(step)
        found, expected = several(step(x, y)), several(theirs.eager(x, y))
        for a, b in zip(found, expected, strict=True):
            assert_same_bits(a, b)
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        assert_same_bits(a, b)


@settings(max_examples=200)
@given(recipes(more=True))
def test_the_program_after_optimisation_is_eager_to_twelve_digits(recipe):
    ours, theirs = recipe.cook(), recipe.cook()
    step = tg.compile(ours.step)
    kept = []
    for x, y in ours.batches(STEPS):
        kept += zip(several(step(x, y)), several(theirs.eager(x, y)), strict=True)
    for a, b in kept:
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert step.captures == 2
    for a, b in zip(ours.state(), theirs.state(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@settings(max_examples=50)
@given(recipes(more=True))
def test_every_pass_keeps_the_program_the_step(recipe):
    dish = recipe.cook()
    step = tg.compile(dish.step)
    (x, y), *_, last = dish.batches(3)
    step(x, y)
    step(*last)
    program = step.program
    for smaller in (program, optimised(program)):
        values = {id(v): a for v, a in zip(smaller.inputs, last, strict=True)}
        values |= {id(c.before): np.copy(held(c)) for c in smaller.reads if c.slot != "generator"}
        if any(c.slot == "generator" for c in smaller.reads):
            return
        results = evaluate(smaller, values)
        assert all(np.shape(r) == np.shape(v.value) for r, v in zip(results, smaller.results,
                                                                    strict=True))  # fmt: skip
