r"""From LaTeX to MathML, which browsers draw by themselves.

This file knows the LaTeX that the records and the explanations write: letters, numbers, scripts,
fractions, roots, big operators, brackets that grow, words, aligned lines and matrices. It knows
no other LaTeX, and says so. It never recurses: a group is finished when it closes.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import TypeAlias

from tinygrad_mlp.errors import UsageError

__all__ = ["formula", "mathml"]

_WORDS = {"text", "mathrm", "operatorname", "mathbf"}
_FUNCTIONS = {"exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min", "ln",
              "arctan", "mod", "arcsin", "arccos", "det", "sup", "inf", "lim"}  # fmt: skip
_IDENTIFIERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε",
    "theta": "θ", "lambda": "λ", "mu": "μ", "nu": "ν", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "phi": "φ", "varphi": "φ", "Phi": "Φ", "omega": "ω", "Delta": "Δ", "Sigma": "Σ",
    "top": "⊤", "infty": "∞", "ell": "ℓ", "hat": "^", "partial": "∂", "nabla": "∇",
}  # fmt: skip
_OPERATORS = {
    "cdot": "·", "times": "×", "odot": "⊙", "circ": "∘", "pm": "±", "approx": "≈", "le": "≤",
    "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "leftarrow": "←", "to": "→",
    "rightarrow": "→", "ldots": "…", "dots": "…", "cdots": "⋯", "vdots": "⋮", "ddots": "⋱",
    "land": "∧", "lor": "∨",
    "lnot": "¬", "neg": "¬", "oplus": "⊕", "wedge": "∧", "vee": "∨", "mid": "|", "vert": "|",
    "lvert": "|", "rvert": "|", "|": "‖", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈",
    "rceil": "⌉", "backslash": "\\", "sim": "~", "hookleftarrow": "↵", "star": "⋆", "ast": "∗",
    "in": "∈", "bmod": "mod", "colon": ":",
}  # fmt: skip
_STIFF = frozenset("()[]{}|‖⌊⌋⌈⌉")  # brackets, which grow between \left and \right only


def _operator(sign: str) -> str:
    stiff = ' stretchy="false"' if sign in _STIFF else ""
    return f"<mo{stiff}>{html.escape(sign)}</mo>"


_BIG = {"sum": "∑", "prod": "∏", "int": "∫"}
_SPACES = {",": "0.17em", ":": "0.22em", ";": "0.28em", " ": "0.25em", "quad": "1em",
           "qquad": "2em", "!": "-0.17em"}  # fmt: skip
_SIMPLE = {
    **{word: f"<mi>{word}</mi>" for word in _FUNCTIONS},
    **{word: f"<mi>{sign}</mi>" for word, sign in _IDENTIFIERS.items()},
    **{word: _operator(sign) for word, sign in _OPERATORS.items()},
    **{word: f"<mo>{sign}</mo>" for word, sign in _BIG.items()},
    **{word: f'<mspace width="{wide}"/>' for word, wide in _SPACES.items()},
}
_SILENT = {"displaystyle", "textstyle", "limits", "mathbin", "mathord", "bigl", "bigr"}
_ARITY = {"frac": 2, "dfrac": 2, "tfrac": 2, "sqrt": 1, "bar": 1, "overline": 1, "tilde": 1,
          "widehat": 1, "underset": 2}  # fmt: skip

PREFIX = ' form="prefix"'
_TOKEN = re.compile(r"\\([A-Za-z]+)\s*|\\(.)|(\d+(?:\.\d+)?)|(\s+)|(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Mark:
    """Something that acts on its neighbours: a command with arguments, a script, ``&``."""

    what: str


_Item: TypeAlias = str | _Mark


@dataclass(slots=True)
class _Group:
    """A group that is still open."""

    closer: str
    opening: str = ""
    items: list[_Item] = field(default_factory=list)


def mathml(latex: str, *, block: bool = False) -> str:
    r"""Write a formula in MathML.

    Args:
        latex: The formula.
        block: Whether it stands alone: fractions are large.

    Raises:
        UsageError: For LaTeX that is not known here, or that is not balanced.

    >>> mathml(r"\frac{x_1}{2}")
    '<math><mfrac><msub><mi>x</mi><mn>1</mn></msub><mn>2</mn></mfrac></math>'
    """
    kind = ' displaystyle="true"' if block else ""
    return f"<math{kind}>{_parse(latex)}</math>"


def formula(text: str, latex: str, *, block: bool = False) -> str:
    """A formula in MathML, or as plain text in it if its LaTeX is not known here.

    The notation of an op may be anybody's, and a page must not fail for it.
    """
    try:
        return mathml(latex, block=block)
    except UsageError:
        return f"<math><mtext>{html.escape(text)}</mtext></math>"


def _parse(latex: str) -> str:
    open_groups = [_Group("")]
    position = 0
    while match := _TOKEN.match(latex, position):
        position = match.end()
        word, sign, digits, _, other = match.groups()
        items = open_groups[-1].items
        if digits:
            items.append(f"<mn>{digits}</mn>")
        elif word:
            position = _command(word, latex, position, open_groups)
        elif sign:
            items.append(_Mark("\\\\") if sign == "\\" else _sign(sign))
        elif other:
            _character(other, latex, open_groups)
    if len(open_groups) != 1:
        raise _unknown(f"a {open_groups[-1].closer!r} is missing", latex)
    return _row(open_groups[0].items, latex)


def _character(c: str, latex: str, open_groups: list[_Group]) -> None:
    items = open_groups[-1].items
    if c == "{":
        open_groups.append(_Group("}"))
    elif c == "}":
        _close(open_groups, "}", latex)
    elif c in "^_&":
        items.append(_Mark(c))
    elif c.isalpha():
        items.append(f"<mi>{html.escape(c)}</mi>")
    elif c == "-":
        first = not items or isinstance(items[-1], _Mark) or items[-1].startswith("<mo")
        items.append(f"<mo{PREFIX if first else ''}>−</mo>")
    else:
        items.append(_operator(c))


def _command(word: str, latex: str, position: int, open_groups: list[_Group]) -> int:
    items = open_groups[-1].items
    if word in _SIMPLE:
        items.append(_SIMPLE[word])
    elif word in _WORDS:
        content, position = _raw(latex, position)
        tag = "mtext" if word == "text" else "mi"
        upright = ' mathvariant="normal"' if tag == "mi" and len(content) == 1 else ""
        items.append(f"<{tag}{upright}>{html.escape(content)}</{tag}>")
    elif word == "mathrel":  # one sign of several, as in +=
        content, position = _raw(latex, position)
        items.append(f"<mo>{html.escape(content)}</mo>")
    elif word in _ARITY:
        items.append(_Mark(word))
    elif word == "left":
        position, bracket = _bracket(latex, position)
        open_groups.append(_Group("right", bracket))
    elif word == "right":
        position, bracket = _bracket(latex, position)
        _close(open_groups, "right", latex, bracket)
    elif word in {"begin", "end"}:
        name, position = _raw(latex, position)
        if word == "begin":
            open_groups.append(_Group(f"end {name}"))
        else:
            _close(open_groups, f"end {name}", latex)
    elif word not in _SILENT:
        raise _unknown(f"\\{word}", latex)
    return position


def _sign(sign: str) -> str:
    """A backslash and a sign: a space, an escaped character, or a double bar."""
    if sign in _SPACES:
        return f'<mspace width="{_SPACES[sign]}"/>'
    return _operator(_OPERATORS.get(sign, sign))


def _bracket(latex: str, position: int) -> tuple[int, str]:
    r"""The bracket behind ``\left`` or ``\right``."""
    match = _TOKEN.match(latex, position)
    if match is None:
        raise _unknown("a bracket is missing", latex)
    word, sign, _, _, other = match.groups()
    return match.end(), _OPERATORS.get(word or sign or "", sign or other or "").replace(".", "")


_ESCAPED = re.compile(r"\\(backslash|textbackslash|sim|hat|times|hookleftarrow)(?:\{\})?\s?|\\(.)")
_PLAIN = {"backslash": "\\", "textbackslash": "\\", "sim": "~", "hat": "^", "times": "×",
          "hookleftarrow": "↵"}  # fmt: skip


def _raw(latex: str, position: int) -> tuple[str, int]:
    r"""The words in the braces at `position`, without their escapes."""
    if latex[position : position + 1] != "{":
        raise _unknown("a '{' is missing", latex)
    depth, end = 0, position
    while end < len(latex):
        c = latex[end]
        depth += {"{": 1, "}": -1}.get(c, 0)
        if c == "\\":
            end += 1
        if depth == 0:
            break
        end += 1
    else:
        raise _unknown("a '}' is missing", latex)
    content = latex[position + 1 : end].replace(r"\ldots ", "…").replace(r"\_", "_")
    return _ESCAPED.sub(lambda m: _PLAIN[m[1]] if m[1] else m[2], content), end + 1


def _close(open_groups: list[_Group], closer: str, latex: str, bracket: str = "") -> None:
    group = open_groups[-1]
    if group.closer != closer or len(open_groups) == 1:
        raise _unknown(f"{closer!r} closes nothing", latex)
    open_groups.pop()
    if closer == "}":
        result = _row(group.items, latex)
    elif closer == "right":
        inner = _row(group.items, latex)
        result = f"<mrow>{_fence(group.opening)}{inner}{_fence(bracket)}</mrow>"
    elif closer == "end aligned":
        table = _table(group.items, latex, "right left")
        result = f'<mtable displaystyle="true" columnalign="right left">{table}</mtable>'
    elif closer == "end cases":
        table = _table(group.items, latex, "left left")
        result = f'<mtable class="cases">{table}</mtable>'
    elif closer in {"end pmatrix", "end bmatrix", "end matrix"}:
        table = _table(group.items, latex)
        # The style draws the brackets: without a mathematical font no browser stretches one.
        result = f'<mtable class="matrix">{table}</mtable>'
    else:
        raise _unknown(closer, latex)
    open_groups[-1].items.append(result)


def _fence(bracket: str) -> str:
    return f'<mo stretchy="true">{html.escape(bracket)}</mo>' if bracket else ""


def _table(items: list[_Item], latex: str, align: str = "") -> str:
    rows: list[list[list[_Item]]] = [[[]]]
    for item in items:
        if isinstance(item, _Mark) and item.what == "\\\\":
            rows.append([[]])
        elif isinstance(item, _Mark) and item.what == "&":
            rows[-1].append([])
        else:
            rows[-1][-1].append(item)
    lines = []
    for row in rows:
        cells = [_row(cell, latex) for cell in row]
        sides = align.split()
        style = [f' class="{sides[min(k, 1)]}"' if sides else "" for k in range(len(cells))]
        lines.append("".join(f"<mtd{s}>{c}</mtd>" for s, c in zip(style, cells, strict=True)))
    return "".join(f"<mtr>{line}</mtr>" for line in lines)


def _row(items: list[_Item], latex: str) -> str:
    """Let marks act on their neighbours and put what comes out into one element."""
    ready: list[str] = []
    script: list[str] = []  # pending ^ and _ marks wait for what follows
    calls: list[tuple[str, list[str]]] = []  # commands that wait for their arguments
    for item in items:
        if isinstance(item, _Mark):
            if item.what in "^_":
                script.append(item.what)
            elif item.what in _ARITY:
                calls.append((item.what, []))
            else:
                raise _unknown(f"{item.what!r} outside a table", latex)
            continue
        piece = item
        while calls and piece:
            calls[-1][1].append(piece)
            piece = ""
            if len(calls[-1][1]) == _ARITY[calls[-1][0]]:
                piece = _called(*calls.pop())
        if not piece:
            continue
        if script:
            ready.append(_scripted(ready.pop() if ready else "<mrow></mrow>", script.pop(), piece))
        else:
            ready.append(piece)
    if calls or script:
        raise _unknown("an argument is missing", latex)
    return ready[0] if len(ready) == 1 else f"<mrow>{''.join(ready)}</mrow>"


def _called(name: str, arguments: list[str]) -> str:
    if name.endswith("frac"):
        return f"<mfrac>{arguments[0]}{arguments[1]}</mfrac>"
    if name == "sqrt":
        return f"<msqrt>{arguments[0]}</msqrt>"
    if name == "underset":
        return f"<munder>{arguments[1]}{arguments[0]}</munder>"
    accent = {"widehat": "^", "tilde": "~"}.get(name, "¯")
    return f"<mover>{arguments[0]}<mo>{accent}</mo></mover>"


def _scripted(base: str, mark: str, piece: str) -> str:
    """Attach a script; a second one joins the first."""
    if mark == "^" and base.startswith("<msub>") and base.endswith("</msub>"):
        return f"<msubsup>{base[6:-7]}{piece}</msubsup>"
    if mark == "_" and any(base == f"<mo>{sign}</mo>" for sign in _BIG.values()):
        return f"<munder>{base}{piece}</munder>"
    tag = "msup" if mark == "^" else "msub"
    return f"<{tag}>{base}{piece}</{tag}>"


def _unknown(what: str, latex: str) -> UsageError:
    return UsageError(f"no MathML for {what} in {latex!r}", fix="Write the notation more simply.")
