"""Build the programs of a control plane into .cache/cluster, from the Go modules below tests/cluster/go.

Usage: python scripts/build_cluster_tools.py [MODULE...]

A module whose go.mod and go.sum are those of the last build is left alone. Ends with 1 where Go is not there or fails.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.cluster.programs import (
    CACHE,
    CRD_FILES,
    CRDS,
    ISTIOD,
    MODULES,
    NEEDED,
    PROGRAMS,
    STAGES,
    istiod_chart,
)


def main(arguments: list[str]) -> int:
    if shutil.which("go") is None:
        print("there is no Go here, which builds the programs of a control plane", file=sys.stderr)
        return 1
    for module in [MODULES / name for name in arguments] or sorted(MODULES.iterdir()):
        stamp = CACHE / "stamps" / module.name
        digest = digest_of(module)
        if stamp.is_file() and stamp.read_text() == digest:
            continue
        began = time.monotonic()
        try:
            copy_crds(module) if module.name.startswith(CRDS) else build(module)
        except subprocess.CalledProcessError as error:
            said = (error.stderr or str(error)).strip()
            if module.name in PROGRAMS and module.name not in NEEDED:
                print(f"{module.name} cannot be built here, its tests skip: {said.splitlines()[0]}", file=sys.stderr)
                continue
            print(f"{module.name}: {said}", file=sys.stderr)
            return 1
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(digest)
        print(f"{module.name}: {time.monotonic() - began:.0f} s", flush=True)
    return 0


def digest_of(module: Path) -> str:
    """What changes with anything that the module pins, or with what is taken out of it."""
    taken = json.dumps([PROGRAMS.get(module.name), CRD_FILES, STAGES, ISTIOD])
    texts = [file.read_bytes() for file in (module / "go.mod", module / "go.sum", *sorted(module.rglob("*.go")))]
    return hashlib.sha256(b"\0".join([*texts, taken.encode()])).hexdigest()


def go(module: Path, *arguments: str) -> str:
    """What a Go command prints in a module. Raises CalledProcessError."""
    # One package at a time for each core is what Go does by itself; paths of this machine are left out of programs.
    environment = {**os.environ, "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false", "CGO_ENABLED": "0"}
    command = ["go", *arguments]
    return subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True, check=True).stdout


def build(module: Path) -> None:
    """Build the programs of a module, each written aside first so that none is ever half there."""
    folder = CACHE / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name, package in PROGRAMS[module.name].items():
        aside = folder / f"{name}.part"
        go(module, "build", f"-ldflags=-s -w {stamps(module)}", "-o", str(aside), package)
        aside.replace(folder / name)
    if module.name == "control-plane":
        source, patterns = STAGES
        copy(source_of(module, source), patterns, CACHE / "stages")
    if module.name == "istio":
        source, chart = ISTIOD
        shutil.rmtree(istiod_chart(), ignore_errors=True)
        shutil.copytree(source_of(module, source) / chart, istiod_chart())


def source_of(module: Path, name: str) -> Path:
    """The folder with the source of a module that another one needs."""
    return Path(go(module, "list", "-m", "-f", "{{.Dir}}", name).strip())


def stamps(module: Path) -> str:
    """What Kubernetes' programs are told of their own version, which helm and charts ask for."""
    if module.name != "control-plane":
        return ""
    version = go(module, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes").strip()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    says = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in says.items())


def copy_crds(module: Path) -> None:
    """Copy the CustomResourceDefinitions out of the sources of the modules that a module names."""
    shutil.rmtree(CACHE / module.name, ignore_errors=True)
    for source in documents(go(module, "mod", "download", "-json")):
        copy(Path(source["Dir"]), CRD_FILES[source["Path"]], CACHE / module.name)


def copy(source: Path, patterns: list[str], folder: Path) -> None:
    """Copy files of a module's source into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in patterns:
        for file in source.glob(pattern):
            shutil.copyfile(file, folder / file.name)


def documents(text: str) -> list[dict[str, Any]]:
    """The JSON objects that stand one after another in a text."""
    found, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
