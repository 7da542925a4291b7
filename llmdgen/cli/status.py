"""Exit codes, which scripts and pipelines hold us to."""

from __future__ import annotations

OK = 0
ERROR = 1
DIFFERS = 2
UNKNOWN = 2  # nothing is known to be wrong, and not everything could be asked
USAGE = 64  # EX_USAGE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as shells count
TERMINATED = 143  # 128 + SIGTERM
