"""Facts as Python has them: a TOML file is parsed once, and what it says is kept as Python keeps its own modules.

Parsing the tables of a release takes as long as everything that a plan decides. The kept file stands in __pycache__
beside its source, is taken only while the source has the time and size that it names, and is missing where nothing may
be written: then the source is parsed again.
"""

from __future__ import annotations

import marshal
import os
import sys
from contextlib import suppress
from typing import Any

from llmdgen.resources import fact

_ENDING = f".{sys.implementation.cache_tag}.marshal"


def parse(path: str) -> dict[str, Any]:
    """What a TOML file says. Raises FileNotFoundError, and ValueError where it is no TOML."""
    status = os.stat(path)
    seal = f"{status.st_mtime_ns} {status.st_size}\n".encode()
    folder, name = os.path.split(path)
    kept = os.path.join(folder, "__pycache__", name + _ENDING)
    with suppress(OSError, ValueError, EOFError, TypeError), open(kept, "rb") as file:
        if file.readline() == seal:
            table: dict[str, Any] = marshal.loads(file.read())
            return table
    import tomli

    with open(path, "rb") as file:
        table = tomli.load(file)
    if not sys.dont_write_bytecode:
        _keep(kept, seal, table)
    return table


def _keep(kept: str, seal: bytes, table: dict[str, Any]) -> None:
    """Write the file whole or not at all; a table with a date, which marshal does not know, is not kept."""
    new = f"{kept}.{os.getpid()}"
    with suppress(OSError, ValueError):
        data = seal + marshal.dumps(table)
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        with open(new, "wb") as file:
            file.write(data)
        os.replace(new, kept)


def main() -> None:
    """Keep all facts, for an installation whose users may not write there."""
    for folder, _, names in os.walk(fact()):
        for name in names:
            if name.endswith(".toml"):
                parse(os.path.join(folder, name))


if __name__ == "__main__":
    main()
