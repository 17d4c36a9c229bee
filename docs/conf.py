"""How Sphinx builds the documentation: offline, and with every warning an error.

Pages are MyST Markdown; those with ``{code-cell}`` blocks are executed while they are built, and
an exception in one fails the build. A page asks the network for nothing: formulas are set by the
copy of MathJax that ``make docs`` puts into ``_vendor`` where npm is installed, and otherwise by
the browser itself, from MathML.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

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

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build", "_vendor"]

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

autodoc_member_order = "bysource"
autodoc_typehints = "description"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"tinygrad_mlp {release}"
html_copy_source = False
html_show_sphinx = False

MATHJAX = Path(__file__).parent / "_vendor" / "tex-svg-full.js"
if MATHJAX.is_file():
    html_static_path = [MATHJAX.parent.name]
    html_math_renderer = "mathjax"
    mathjax_path = MATHJAX.name
    mathjax3_config = {"options": {"enableMenu": False}}  # the menu would load files not here
else:
    html_math_renderer = "mathml"

logger = logging.getLogger(__name__)


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
    """Register the way formulas are written."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
