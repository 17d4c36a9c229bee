"""Elementary functions without a branch, so that they run in every lane of a vector at once.

This file knows how exp, log and their like are computed to a few units in the last place, with
NaN, infinities and numbers below the normal range as NumPy has them. Each is a function of LLVM's
that is put in where it is called. What it computes is written for lanes of any number.

The reductions are those of Cody and Waite, *Software Manual for the Elementary Functions* (1980);
the polynomial of exp goes through the Chebyshev points, that of the logarithm is FreeBSD's
(`e_log.c`, `e_logf.c`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tinygrad_mlp.program.native.llvm import vector_bytes
from tinygrad_mlp.program.native.values import Book, Kind, Value

__all__ = ["FUNCTIONS", "call", "definition"]


@dataclass(frozen=True)
class _Format:
    """The numbers of one floating point format.

    Attributes:
        fraction: How many bits follow the point.
        bias: What is added to the exponent.
        largest: Beyond it exp is infinite.
        least: Below it exp is 0.
        high: The first bits of log 2: a small integer times it is exact.
        low: The rest of it.
        series: The coefficients of ``(exp(r) - 1 - r) / r²``.
        flat: From here on tanh is 1.
        logarithm: The coefficients of the logarithm.
    """

    fraction: int
    bias: int
    largest: float
    least: float
    high: float
    low: float
    series: tuple[float, ...]
    flat: float
    logarithm: tuple[float, ...]

    @property
    def magic(self) -> float:
        """Added to a small number, it leaves the nearest integer in the last bits."""
        return 1.5 * 2.0**self.fraction

    @property
    def magic_bits(self) -> int:
        """The bits of it: an exponent, then a one and zeros."""
        return (self.bias + self.fraction) << self.fraction | 1 << (self.fraction - 1)

    @property
    def root_bits(self) -> int:
        """The bits of the square root of a half, without the last ones."""
        return 0x3FE6A09E00000000 if self.fraction == 52 else 0x3F3504F3


_FORMATS = {
    "double": _Format(
        52, 1023, 710.0, -746.0, 6.93147180369123816490e-01, 1.90821492927058770002e-10,
        (0.5, 0.16666666666666669, 0.04166666666662348, 0.008333333333330011,
         0.0013888888917538296, 0.00019841269863303223, 2.4801520792572694e-05,
         2.75572680728901e-06, 2.762032742826824e-07, 2.5100569275813683e-08),
        20.0,
        (6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
         2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
         1.479819860511658591e-01),
    ),
    "float": _Format(
        23, 127, 89.0, -104.0, 6.9313812256e-01, 9.0580006145e-06,
        (0.5, 0.16666576305560638, 0.041666553762567636, 0.008363292753030603,
         0.0013926325618133463),
        10.0,
        (0.66666662693023682, 0.40000972151756287, 0.28498786687850952, 0.24279078841209412),
    ),
}  # fmt: skip


# -- exp -------------------------------------------------------------------------------------


def _reduced(b: Book, x: Value, f: _Format) -> tuple[Value, Value, Value]:
    """``x = n log 2 + r``: n as an integer and as a number, and r."""
    shifted = b.fma(x, 1.0 / math.log(2.0), f.magic)
    n = b.sub(shifted, f.magic)
    r = b.fma(n, -f.low, b.fma(n, -f.high, x))
    return b.whole("sub", b.turned("bitcast", shifted, x.kind.bits), f.magic_bits), n, r


def _polynomial(b: Book, x: Value, coefficients: list[float]) -> Value:
    """A polynomial in pairs, pairs of pairs and so on: few steps wait for one another."""
    terms: list[Value | float] = list(coefficients)
    power = x
    while len(terms) > 1:
        paired: list[Value | float] = [
            b.fma(terms[i + 1], power, terms[i]) if i + 1 < len(terms) else terms[i]
            for i in range(0, len(terms), 2)
        ]
        terms = paired
        power = b.mul(power, power)
    last = terms[0]
    return last if isinstance(last, Value) else b.constant(x.kind, last)


def _within(b: Book, x: Value, low: float, high: float) -> Value:
    """``x`` held between two bounds; a NaN is on neither side, and passes."""
    x = b.select(b.compare("ogt", x, high), high, x)
    return b.select(b.compare("olt", x, low), low, x)


def _power_of_two(b: Book, n: Value, kind: Kind, f: _Format) -> Value:
    """``2ⁿ`` for an exponent in the normal range."""
    bits = b.whole("shl", b.whole("add", n, f.bias), f.fraction)
    return b.turned("bitcast", bits, kind)


def _exp(b: Book, x: Value) -> Value:
    """``2ⁿ exp(r)``, with ``2ⁿ`` in two halves, so that it may leave the normal range.

    The first half goes into the sum while its last term is still being computed.
    """
    f = _FORMATS[x.kind.number]
    if scaler(x.kind):
        return _exp_scaled(b, x, f)
    n, _, r = _reduced(b, x, f)
    half = b.whole("ashr", n, 1)
    first, second = (_power_of_two(b, k, x.kind, f) for k in (half, b.whole("sub", n, half)))
    square = b.mul(r, r)
    front = b.fma(b.fma(r, f.series[1], f.series[0]), square, b.add(r, 1.0))
    rest = _polynomial(b, r, list(f.series[2:]))
    y = b.fma(rest, b.mul(b.mul(square, square), first), b.mul(front, first))
    y = b.select(b.compare("ogt", x, f.largest), math.inf, b.mul(y, second))
    return b.select(b.compare("olt", x, f.least), 0.0, y)


def _exp_scaled(b: Book, x: Value, f: _Format) -> Value:
    """The same where one instruction multiplies by ``2ⁿ``, in and out of the normal range."""
    _, n, r = _reduced(b, _within(b, x, f.least, f.largest), f)
    p = b.fma(b.mul(r, r), _polynomial(b, r, list(f.series)), r)
    kind, function, every = x.kind, scaler(x.kind), f"i{x.kind.lanes}"
    b.declared.add(f"declare {kind} {function}({kind}, {kind}, {kind}, {every}, i32)")
    rest = f"{kind} zeroinitializer, {every} -1, i32 4"
    return b.put(
        kind, f"call {kind} {function}({kind} {{0}}, {kind} {{1}}, {rest})", b.add(p, 1.0), n
    )


def scaler(kind: Kind) -> str:
    """What multiplies these lanes by powers of two in one instruction; nothing if none does."""
    size = kind.lanes * (8 if kind.number == "double" else 4)
    if size != 64 or vector_bytes() != 64:
        return ""
    return f"@llvm.x86.avx512.mask.scalef.p{'d' if kind.number == 'double' else 's'}.512"


def _expm1(b: Book, x: Value) -> Value:
    """``2 (s (exp(r) - 1) + (s - ½))`` with ``s = 2ⁿ⁻¹``: no bit is lost near 0."""
    f = _FORMATS[x.kind.number]
    n, _, r = _reduced(b, _within(b, x, -2.0 * f.fraction, f.largest), f)
    p = b.fma(b.mul(r, r), _polynomial(b, r, list(f.series)), r)
    s = _power_of_two(b, b.whole("sub", n, 1), x.kind, f)
    y = b.fma(s, p, b.sub(s, 0.5))
    y = b.add(y, y)
    tiny = b.compare("olt", b.intrinsic("fabs", x), 2.0 ** -(f.fraction + 2))
    return b.select(tiny, x, y)


def _tanh(b: Book, x: Value) -> Value:
    """``t / (t + 2)`` with ``t = exp(2 |x|) - 1``, and the sign of x."""
    f = _FORMATS[x.kind.number]
    size = b.intrinsic("fabs", x)
    size = b.select(b.compare("ogt", size, f.flat), f.flat, size)
    t = _expm1(b, b.add(size, size))
    return b.intrinsic("copysign", b.div(t, b.add(t, 2.0)), x)


# -- log -------------------------------------------------------------------------------------


def _log(b: Book, x: Value) -> Value:
    """``x = 2ᵏ (1 + f)`` with ``1 + f`` about 1; then a series of ``s = f / (2 + f)``."""
    f, kind = _FORMATS[x.kind.number], x.kind
    small = b.compare("olt", x, 2.0 ** (1 - f.bias))
    scaled = b.select(small, b.mul(x, 2.0 ** (f.fraction + 2)), x)
    bits = b.turned("bitcast", scaled, kind.bits)
    k = b.whole("ashr", b.whole("sub", bits, f.root_bits), f.fraction)
    near = b.turned("bitcast", b.whole("sub", bits, b.whole("shl", k, f.fraction)), kind)
    # A small integer is turned into a number by its bits: not every processor has another way.
    whole = b.sub(b.turned("bitcast", b.whole("add", k, f.magic_bits), kind), f.magic)
    whole = b.select(small, b.sub(whole, f.fraction + 2.0), whole)
    d = b.sub(near, 1.0)
    s = b.div(d, b.add(d, 2.0))
    z = b.mul(s, s)
    rest = b.mul(z, _polynomial(b, z, list(f.logarithm)))
    half = b.mul(b.mul(d, d), 0.5)
    inner = b.fma(s, b.add(half, rest), b.mul(whole, f.low))
    y = b.fma(whole, f.high, b.sub(d, b.sub(half, inner)))
    y = b.select(b.compare("oeq", x, 0.0), -math.inf, y)
    y = b.select(b.compare("olt", x, 0.0), math.nan, y)
    # What is left as it is: +inf and NaN.
    return b.select(b.compare("ult", x, math.inf), b.select(b.compare("uno", x, x), x, y), x)


def _log1p(b: Book, x: Value) -> Value:
    """``log u + (x - (u - 1)) / u`` with ``u = 1 + x``: what the sum lost is put back."""
    u = _exactly(b, "fadd", x, 1.0)
    lost = b.div(_exactly(b, "fsub", x, _exactly(b, "fsub", u, 1.0)), u)
    y = b.add(_log(b, u), lost)
    unchanged = b.compare("oeq", u, 1.0)
    y = b.select(unchanged, x, y)
    ends = b.compare("oeq", b.intrinsic("fabs", u), math.inf)
    y = b.select(ends, _log(b, u), y)
    return b.select(b.compare("oeq", u, 0.0), -math.inf, y)


def _exactly(b: Book, instruction: str, a: Value, c: Value | float) -> Value:
    """Arithmetic that is rounded as it stands."""
    c = c if isinstance(c, Value) else b.constant(a.kind, c)
    return b.put(a.kind, f"{instruction} {a.kind} {{0}}, {{1}}", a, c)


def _logaddexp(b: Book, x: Value, y: Value) -> Value:
    """``max + log(1 + exp(-|x - y|))``; two equal infinities have no difference."""
    difference = b.sub(x, y)
    largest = b.select(b.compare("ogt", x, y), x, y)
    rest = _log1p(b, _exp(b, b.neg(b.intrinsic("fabs", difference))))
    total = b.add(largest, rest)
    total = b.select(b.compare("uno", difference, difference), b.add(x, y), total)
    return b.select(b.compare("oeq", x, y), b.add(x, math.log(2.0)), total)


FUNCTIONS: dict[str, tuple[Callable[..., Value], int]] = {
    "exp": (_exp, 1),
    "expm1": (_expm1, 1),
    "tanh": (_tanh, 1),
    "log": (_log, 1),
    "log1p": (_log1p, 1),
    "logaddexp": (_logaddexp, 2),
}
"""How each is computed, and of how many numbers."""


def call(b: Book, name: str, *args: Value) -> Value:
    """What one of the functions gives; its definition is noted down as needed."""
    kind = args[0].kind
    function = f"{name}.{kind.suffix}"
    b.helpers[function] = kind
    return b.call(kind, f"@{function}", *args)


def definition(function: str, kind: Kind, attributes: str) -> tuple[list[str], set[str]]:
    """The text of a function by its name, and what it needs declared."""
    compute, count = FUNCTIONS[function.partition(".")[0]]
    b = Book()
    given = [b.given(kind, name) for name in ("x", "y")[:count]]
    result = compute(b, *given)
    lines = b.lines([result])
    places = ", ".join(f"{kind} {x.name}" for x in given)
    return [
        f"define internal {kind} @{function}({places}) alwaysinline {attributes} {{",
        *(f"  {line}" for line in lines),
        f"  ret {kind} {result.name}",
        "}",
    ], b.declared
