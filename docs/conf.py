"""How Sphinx builds the documentation: offline, and with every warning an error.

Pages are MyST Markdown; those with ``{code-cell}`` blocks are executed while they are built, and
an exception in one fails the build. A page asks the network for nothing: formulas are set by the
copy of MathJax that ``make docs`` puts into ``_vendor`` where npm is installed, and otherwise by
the browser itself, from MathML.

The pages in ``reference`` list names. What they say of each is its docstring in the source.
"""

from __future__ import annotations

import html
import importlib
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.utils.math import pick_math_environment
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

import tinygrad_mlp

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata
    from sphinx.writers.html5 import HTML5Translator

project = "tinygrad_mlp"
author = "the tinygrad_mlp authors"
copyright = f"2026, {author}"
version = release = tinygrad_mlp.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "_vendor"]
default_role = "py:obj"  # a name between single backticks in a docstring is a link

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

add_module_names = False
toc_object_entries_show_parents = "hide"
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # in words, by the docstrings
autodoc_preserve_defaults = True
autosummary_generate = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"tinygrad_mlp {release}"
html_copy_source = False
html_show_sphinx = False

html_static_path = ["_static"]
html_css_files = ["pages.css"]

MATHJAX = Path(__file__).parent / "_vendor" / "tex-svg-full.js"
if MATHJAX.is_file():
    html_static_path.append(MATHJAX.parent.name)
    html_math_renderer = "mathjax"
    mathjax_path = MATHJAX.name
    mathjax3_config = {"options": {"enableMenu": False}}  # the menu would load files not here
else:
    html_math_renderer = "mathml"

logger = logging.getLogger(__name__)

NAMES = re.compile(r"^```\{names\} (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INHERITED = {  # what a subclass says once more, and what only the base explains
    "Module": "extra_repr, fitting, function, members, multiply_adds, shipped, short, usage",
    "Optimizer": "decoupled, init, ranges, update",
}


def names(block: re.Match[str]) -> str:
    """Write out a block of names: a table of first lines, then every docstring.

    A name may go through the file where it is written, as in ``schedules.Schedule``.
    """
    room, listed = block[1], block[2].split()
    lines = [f".. currentmodule:: {room}", "", ".. autosummary::", ""]
    lines += [f"   ~{name}" for name in listed]
    for name in listed:
        path, _, last = f"{room}.{name}".rpartition(".")
        thing = getattr(importlib.import_module(path), last)
        lines += ["", f".. auto{kind_of(thing)}:: {path}.{last}"]
        bases = [base.__name__ for base in getattr(thing, "__mro__", ())[1:]]
        lines += [f"   :exclude-members: {INHERITED[base]}" for base in INHERITED if base in bases]
    return "\n".join(["```{eval-rst}", *lines, "```"])


def kind_of(thing: object) -> str:
    """What Sphinx calls it: a class, a function, or data with a docstring below."""
    if isinstance(thing, type):
        return "class"
    return "function" if inspect.isroutine(thing) else "data"


STAR = re.compile(r"(``.+?``)|(?<![\\*\w])\*(?=\w)")


def docstring(*told: Any) -> None:
    """Help Sphinx to read a docstring as it reads in a terminal.

    A star stands for itself, and a colon in what is returned does not end the name of a type.
    """
    lines: list[str] = told[-1]
    for i, line in enumerate(lines):
        if line.strip() == "Returns:":
            lines[i] = ":returns:"
    lines[:] = [STAR.sub(lambda found: found[1] or r"\*", line) for line in lines]


def joined(*told: Any) -> None:
    """Put together again what was taken for a type: the sentence of a property, with a colon."""
    what, lines = told[1], told[-1]
    if what in {"attribute", "data", "property"} and lines and lines[-1].startswith(":type: "):
        lines[0] = f"{lines.pop().removeprefix(':type: ')}: {lines[0]}"


def write_names(*told: Any) -> None:
    """Write out the blocks of names of a page."""
    source: list[str] = told[-1]
    source[0] = NAMES.sub(names, source[0])


def mathml(node: nodes.math | nodes.math_block, *, block: bool) -> str:
    """Translate one formula; one that docutils cannot translate stays as it was written."""
    tex = node.astext().strip()
    if block and pick_math_environment(tex).startswith("align"):
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    try:
        return tex2mathml(tex, as_block=block)
    except ValueError as error:  # docutils' MathError
        logger.info("no MathML for %s: %s", tex, error)
        return f"<code>{html.escape(tex)}</code>"


def visit_math(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula inside a line."""
    translator.body.append(mathml(node, block=False))
    raise nodes.SkipNode


def visit_math_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula that stands alone."""
    translator.body.append(translator.starttag(node, "div", CLASS="math", style="overflow-x: auto"))
    if number := get_node_equation_number(translator, node):
        translator.body.append(f'<span class="eqno">({number})</span>')
    translator.body.append(mathml(node, block=True) + "</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the ways in which formulas and names are written."""
    app.connect("source-read", write_names)
    app.connect("autodoc-process-docstring", docstring, priority=400)  # before napoleon reads it
    app.connect("autodoc-process-docstring", joined, priority=600)  # and after it
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
