"""The program: what the console script and `python -m llmdgen` run."""

from __future__ import annotations

import gc
import sys


def run() -> int:
    """The command line, in a process that lives for a tenth of a second and holds a few parsed files.

    Looking for cycles among them, while they are built and once more at the end, costs more than all the memory that it
    could free.
    """
    gc.disable()
    from llmdgen.cli.main import main

    code = main()
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(run())
