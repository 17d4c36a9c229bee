"""``python -m tinygrad_mlp``: the command line, see `cli`."""

from __future__ import annotations

import io
import sys

from tinygrad_mlp.cli import main

if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without ∂ and σ is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main())
