"""How things are said in a picture: names, shapes, numbers, and how wide they are.

This file knows short forms and letter widths. It does not know graphs or file formats: what it
returns is plain text, which every writer escapes in its own way.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np

from tinygrad_mlp.ops import Array

__all__ = [
    "FEW",
    "MEAN",
    "NORM",
    "NOT_YET",
    "SIGNS",
    "clean",
    "elide",
    "gradient_line",
    "gradient_text",
    "number",
    "numbers",
    "plural",
    "shape_remark",
    "shape_text",
    "signed",
    "thousands",
    "value_text",
    "width",
]

NOT_YET = "not computed yet"
"""What stands in the place of a gradient before backward has run: never a 0."""

FEW = 6
"""So many numbers are shown in full."""

MEAN, NORM = "mean |x|", "‖∂‖"
"""Of more numbers one is shown: of a value, and of a gradient."""

SIGNS = {
    MEAN: f"{MEAN}: how large the entries are on average",
    NORM: f"{NORM}: the norm of the gradient, the root of the sum of its squares",
}
"""What the signs mean."""


def number(x: Any, digits: int = 4) -> str:
    """A number with four significant digits and a true minus sign.

    >>> number(-0.25), number(1 / 3), number(1e-7), number(float("nan")), number(-0.0)
    ('−0.25', '0.3333', '1e−07', 'nan', '0')
    """
    if isinstance(x, bool | np.bool_):
        return str(bool(x))
    if isinstance(x, int | np.integer):
        return str(x).replace("-", "−")
    return f"{x + 0:.{digits}g}".replace("-", "−")  # -0.0 + 0 is 0.0


def numbers(array: Array, most: int = 64, digits: int = 4) -> str:
    """An array as nested brackets; the middle of what is longer than `most` is left out."""
    array = np.asarray(array)
    if array.ndim == 0:
        return number(array[()], digits)
    return (
        np.array2string(
            array,
            separator=", ",
            threshold=most,
            edgeitems=2,
            formatter={"all": lambda x: number(x, digits)},
            max_line_width=10_000,
        )
        .replace("...", "…")
        .replace("\n", "")
    )


def signed(x: float) -> str:
    """A number that is added: with its sign in front.

    >>> signed(0.5), signed(-0.5)
    ('+ 0.5', '− 0.5')
    """
    return f"− {number(-x)}" if x < 0 else f"+ {number(x)}"


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape in a word.

    >>> shape_text(()), shape_text((4,)), shape_text((8, 4))
    ('scalar', '4', '8×4')
    """
    return "×".join(map(str, shape)) if shape else "scalar"


def shape_remark(shape: tuple[int, ...]) -> str:
    """A shape where nothing else says that it is one.

    >>> shape_remark(()), shape_remark((4,))
    ('scalar', 'shape 4')
    """
    return f"shape {shape_text(shape)}" if shape else "scalar"


def _non_finite(array: Array) -> str:
    """What is wrong with an array, or nothing."""
    if array.dtype.kind != "f":
        return ""
    bad = {"nan": np.isnan(array).sum(), "inf": np.isinf(array).sum()}
    return " and ".join(f"{n} of {array.size} {what}" for what, n in bad.items() if n)


def value_text(array: Array, digits: int | None = None) -> tuple[str, bool]:
    """What to say of a value, and whether it is alarming.

    `digits` are written of each number; by default four, or three if there are more than four.

    >>> value_text(np.array([1.0, 2.0])), value_text(np.eye(3))
    (('[1, 2]', False), ('mean |x| 0.3333', False))
    >>> value_text(np.array([np.nan] + [1.0] * 7))
    ('1 of 8 nan', True)
    """
    return _summary(np.asarray(array), digits, MEAN, lambda a: np.abs(a).mean())


def gradient_text(array: Array, digits: int | None = None, *, sign: str = NORM) -> tuple[str, bool]:
    """What to say of a gradient, and whether it is alarming; `digits` as in `value_text`.

    `sign` stands before the norm, which is shown of many numbers.

    >>> gradient_text(np.full((3, 3), 2.0)), gradient_text(np.full((3, 3), 2.0), sign="‖∂W‖")
    (('‖∂‖ 6', False), ('‖∂W‖ 6', False))
    """
    return _summary(np.asarray(array), digits, sign, lambda a: np.sqrt((a * a).sum()))


def gradient_line(text: str) -> str:
    """The line of a gradient in a box: it says that it is one.

    >>> gradient_line("0.5"), gradient_line("‖∂‖ 6")
    ('∂ 0.5', '‖∂‖ 6')
    """
    return text if text.startswith(NORM) else f"∂ {text}"


def _summary(array: Array, digits: int | None, title: str, measure: Any) -> tuple[str, bool]:
    wrong = _non_finite(array)
    if array.size <= FEW:
        return numbers(array, digits=digits or (4 if array.size <= 4 else 3)), bool(wrong)
    if wrong:
        return wrong, True
    if array.dtype.kind == "b":
        return f"{int(array.sum())} of {array.size} true", False
    with np.errstate(all="ignore"):
        return f"{title} {number(measure(array.astype(float)))}", False


def thousands(n: int) -> str:
    """A count that can be read: ``1 234 567``, with spaces that do not break."""
    return f"{n:,}".replace(",", "\u202f")


def plural(n: int, what: str) -> str:
    """A count with its word.

    >>> plural(1, "path"), plural(3, "path")
    ('1 path', '3 paths')
    """
    return f"{thousands(n)} {what}{'' if n == 1 else 's'}"


# -- names that come from anywhere -----------------------------------------------------------


def clean(name: str, most: int = 40) -> str:
    r"""A name as one visible line: no controls, no direction marks, not too long.

    A letter that reads from right to left makes the whole name stand in isolation, so that it
    cannot turn round what follows it.

    >>> clean("two\nlines"), clean("a" * 50, most=5)
    ('two↵lines', 'aaaa…')
    """
    visible = "".join(_visible(c) for c in name)
    text = elide(visible, most)
    if any(unicodedata.bidirectional(c) in {"R", "AL", "AN"} for c in text):
        return f"\u2068{text}\u2069"
    return text


def _visible(c: str) -> str:
    if c in "\r\n":
        return "↵"
    category = unicodedata.category(c)
    if c == "\t" or category == "Zs":
        return " "
    return "\ufffd" if category in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} else c


def elide(text: str, most: int) -> str:
    """`text`, its end left out if it is longer than `most`."""
    return text if len(text) <= most else text[: most - 1] + "…"


# -- widths ----------------------------------------------------------------------------------

# Advance widths of DejaVu Sans, in hundredths of the font size, from space to tilde. It is among
# the widest of the fonts that browsers fall back on, so what fits here fits everywhere.
_WIDTHS = (
    "32 40 46 84 64 95 78 27 39 39 50 84 32 36 32 34 64 64 64 64 64 64 64 64 64 64 34 34 84 84 84 "
    "53 100 68 69 70 77 63 58 77 75 29 29 66 56 86 75 79 60 79 69 63 61 73 68 99 69 61 69 39 34 39 "
    "84 50 50 61 63 55 63 62 35 63 63 28 28 58 28 97 63 61 63 63 41 52 39 63 59 82 59 59 52 64 34 "
    "64 84"
)
_WIDTH = {chr(32 + i): int(w) / 100 for i, w in enumerate(_WIDTHS.split())}
_WIDTH |= {"×": 0.84, "−": 0.84, "…": 1.0, "→": 0.84, "↵": 0.84, "\u2068": 0.0, "\u2069": 0.0}
BOLD = 1.14
OTHER = 0.7


def width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a line is at most, in the unit of `size`."""
    total = 0.0
    for c in text:
        known = _WIDTH.get(c)
        if known is None:
            wide = unicodedata.east_asian_width(c) in "WF" or ord(c) > 0x1F000
            known = 0.0 if unicodedata.combining(c) else 1.2 if wide else OTHER
        total += known
    return total * size * (BOLD if bold else 1.0)
