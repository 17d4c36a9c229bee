"""The command line: ``python -m tinygrad_mlp``, or ``tinygrad-mlp`` where it is installed.

This file knows the commands, their options, and how a mistake is reported: one line on standard
error and exit status 2, never a traceback. What a command does lives elsewhere: the demo in
`demo.py`, the formulas in `formulas.py`, the explanations in `viz`. Rooms are imported when their
command runs.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from tinygrad_mlp import __version__, ops
from tinygrad_mlp.errors import TinygradError, UsageError, message
from tinygrad_mlp.formulas import Row, op_table
from tinygrad_mlp.ops import REGISTRY, Op

__all__ = ["main", "markdown_sections", "markdown_table", "text_table"]


class _Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one line, and what to do about it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words of the command line, by default those of this process.

    Returns:
        The exit status: 0 if it worked, 2 if the command was at fault, 130 if interrupted.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.run is None:
        parser.print_help()
        return 0
    try:
        options.run(options)
    except TinygradError as error:
        # Without the line of code: whoever types a command has not written any.
        text = message(error.what, why=error.why, fix=error.fix)
        print(f"{parser.prog} {options.command}: {text}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # as in `… ops | head`: nobody listens any more
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return 0


def _parser() -> _Parser:
    parser = _Parser(
        prog="tinygrad_mlp",
        description="Backpropagation to learn from, teach with and build on.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=None)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    demo = commands.add_parser(
        "demo",
        help="train a network that learns to add, and write down how",
        description="Train a network that learns to add two numbers, and write into a folder "
        "its graph, the chain rule of a weight, the generated NumPy code and the history.",
    )
    demo.add_argument("--out", type=Path, default=Path("demo"), help="the folder (%(default)s)")
    demo.add_argument(
        "--epochs", type=_whole(1), default=50, help="rounds of training (%(default)s)"
    )
    demo.add_argument("--seed", type=_whole(0), default=0, help="of weights and data (%(default)s)")
    demo.set_defaults(run=_demo)

    table = commands.add_parser(
        "ops",
        help="print every op with its formula and the gradient of each input",
        description="Print the op table: what each op computes and what its rules send back, "
        "g being the gradient that arrives and y the output.",
    )
    table.add_argument("names", nargs="*", metavar="OP", help="only these ops")
    table.add_argument(
        "--markdown", action="store_true", help="as a Markdown table with LaTeX formulas"
    )
    table.set_defaults(run=_ops)

    explain = commands.add_parser(
        "explain",
        help="explain an op: its formula, its rules and an example in numbers",
        description="Explain an op: what it is, its formula, its rules and an example.",
    )
    explain.add_argument("name", metavar="OP", help="the op, by its name in the table of all ops")
    explain.set_defaults(run=_explain)
    return parser


def _whole(least: int) -> Callable[[str], int]:
    """A converter of options that are whole numbers from `least` upward."""

    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} upward")
        return int(text)

    return convert


# -- demo ------------------------------------------------------------------------------------


def _demo(options: argparse.Namespace) -> None:
    from tinygrad_mlp.demo import learn_to_add

    learn_to_add(_folder(options.out), epochs=options.epochs, seed=options.seed)


def _folder(path: Path) -> Path:
    """`path` as a folder that exists and can be written into."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(
            f"--out {path} cannot be written into",
            why=(error.strerror or str(error)).lower(),
            fix="Name a folder of your own: --out somewhere/demo.",
        ) from error
    return path


# -- ops and explain -------------------------------------------------------------------------


def _ops(options: argparse.Namespace) -> None:
    rows = list(op_table(latex=options.markdown))
    if options.names:
        known = {row.op.name: row for row in rows}
        rows = [known.get(name) or _unknown(name, known) for name in options.names]
    if not options.markdown:
        print(text_table(rows), end="")
    elif options.names:
        print(markdown_table(rows), end="")
    else:
        print("\n".join(markdown_sections(rows)), end="")


def _unknown(name: str, known: Iterable[str]) -> NoReturn:
    near = difflib.get_close_matches(name, known, n=3)
    raise UsageError(
        f"there is no op {name!r}",
        fix=f"Did you mean {' or '.join(near)}?" if near else "The command ops lists them all.",
    )


def _explain(options: argparse.Namespace) -> None:
    from tinygrad_mlp.viz import explain

    print(explain(REGISTRY.get(options.name) or _unknown(options.name, REGISTRY)))


def text_table(rows: Iterable[Row]) -> str:
    """The op table as aligned plain text, one gradient a line.

    >>> from tinygrad_mlp.formulas import op_table
    >>> print(text_table(row for row in op_table() if row.op.name in ("mul", "sigmoid")))
    op       forward  gradient of each input
    ───────  ───────  ──────────────────────
    mul      a b      a: g b
                      b: g a
    sigmoid  σ(x)     x: g y (1 − y)
    <BLANKLINE>
    """
    lines = [("op", "forward", "gradient of each input")]
    for row in rows:
        first, *rest = row.gradients or ("",)
        lines.append((row.op.name, row.forward, first))
        lines += [("", "", gradient) for gradient in rest]
    widths = [max(len(line[i]) for line in lines) for i in range(3)]
    lines.insert(1, ("─" * widths[0], "─" * widths[1], "─" * len(lines[0][2])))
    return "".join(
        f"{op:{widths[0]}}  {forward:{widths[1]}}  {gradient}".rstrip() + "\n"
        for op, forward, gradient in lines
    )


def markdown_sections(rows: Iterable[Row]) -> Iterator[str]:
    """The op table in Markdown, one section for each file of `ops`."""
    shelves: dict[str, list[Row]] = {}
    for row in rows:
        shelves.setdefault(_file_of(row.op), []).append(row)
    for name, shelf in shelves.items():
        title = name.rpartition(".")[2].capitalize()
        about = (sys.modules[name].__doc__ or "").partition("\n")[0]
        yield f"## {title}\n\n{about}\n\n{markdown_table(shelf)}"


def _file_of(op: Op) -> str:
    """The module that the record of an op is written in."""
    parts = (op.each, *op.rules, op.forward, op.bind)
    homes = [str(getattr(part, "__module__", "")) for part in parts if part is not None]
    for home in homes:
        if home.startswith(f"{ops.__name__}."):
            return home
    shelves = [n for n in sys.modules if n.startswith(f"{ops.__name__}.")]
    for name in shelves:  # all of its functions are NumPy's: look who offers it
        module = sys.modules[name]
        if any(getattr(module, own, None) is op for own in getattr(module, "__all__", ())):
            return name
    return homes[0]


def markdown_table(rows: Iterable[Row]) -> str:
    """The op table in Markdown; the rows are those of ``op_table(latex=True)``."""
    lines = ["| op | forward | gradient of each input |", "|---|---|---|"]
    for row in rows:
        pairs = (gradient.split(": ", 1) for gradient in row.gradients)
        gradients = "<br>".join(rf"$\partial {name}$: ${formula}$" for name, formula in pairs)
        cells = (f"`{row.op.name}`", f"${row.forward}$", gradients or "none flows")
        lines.append("| " + " | ".join(cell.replace("|", r"\vert ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
