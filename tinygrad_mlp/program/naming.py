"""Names: what variables, parameters and layers are called in generated code.

This file knows Python's rules for names and what the user calls things. Whatever a layer is
called, what comes out is a plain ASCII identifier that shadows nothing.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata

__all__ = ["Names", "comment", "identifier"]

_LONGEST = 40


def identifier(name: str) -> str:
    """A harmless Python identifier that reads like `name`.

    >>> identifier("layers.0.weight"), identifier("0.weight"), identifier("class")
    ('layers_0_weight', 'weight_0', 'class_')
    >>> identifier("d_0.weight")
    'd_weight_0'
    >>> identifier("x; import os"), identifier("__class__"), identifier("größe")
    ('x_import_os', 'class_', 'grosse')
    """
    if name.startswith("d_"):
        return f"d_{identifier(name[2:]).removesuffix('_')}"
    name = name.replace("ß", "ss")
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "_", folded).strip("_").split("_")
    front = [words.pop(0) for _ in range(len(words)) if words and words[0].isdigit()]
    text = "_".join([*words, *front])[:_LONGEST].strip("_")
    if not text or text[0].isdigit():
        text = f"v_{text}" if text else "v"
    return f"{text}_" if _reserved(text) else text


def _reserved(text: str) -> bool:
    return (
        keyword.iskeyword(text)
        or keyword.issoftkeyword(text)
        or hasattr(builtins, text)
        or text in {"np", "math"}
    )


class Names:
    """Hands out identifiers, each once.

    Args:
        taken: Those that must not be used.
    """

    def __init__(self, *taken: str) -> None:
        self.taken = set(taken)

    def fresh(self, wanted: str) -> str:
        """An identifier like `wanted` that has not been handed out."""
        stem = name = identifier(wanted)
        count = 2
        while name in self.taken:
            name = f"{stem}_{count}"
            count += 1
        self.taken.add(name)
        return name


def comment(text: str) -> str:
    r"""Text that cannot leave the comment that it is put in.

    >>> comment("layer\nimport os")
    'layer import os'
    """
    flat = "".join(c if c.isprintable() else " " for c in text)
    return flat if len(flat) <= 2 * _LONGEST else f"{flat[: 2 * _LONGEST]}…"
