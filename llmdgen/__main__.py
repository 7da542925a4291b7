"""The program: what the console script and `python -m llmdgen` run."""

from __future__ import annotations

import gc
import os
import signal


def run() -> None:
    """Run the command line and end the process with its exit code.

    The process lives for a tenth of a second and holds a few parsed files. Looking for cycles among them while they are
    built, and taking everything apart at the end, would be a fifth of that; whatever was printed is flushed by then.
    """
    gc.disable()
    from llmdgen.cli.main import main, terminate

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # and not ignored, as whoever started the process may want
        signal.signal(signal.SIGTERM, terminate)
    os._exit(main())


if __name__ == "__main__":
    run()
