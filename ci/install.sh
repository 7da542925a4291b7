#!/usr/bin/env bash
# llmdgen in a virtual environment of its own.
#
# LLMDGEN_VENV     where the environment is made
# LLMDGEN_VERSION  a version from the Python index; empty: this checkout, with what its lock file names and hashes
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${LLMDGEN_VENV:?}
version=${LLMDGEN_VERSION:-}

if [[ -n $version && ! $version =~ ^[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.(post|dev)[0-9]+)?$ ]]; then
  echo "::error title=llmdgen::version: not a version number, such as 0.1.0"
  exit 64
fi

python3 -m venv "$venv"
pip=("$venv/bin/python" -m pip --quiet --disable-pip-version-check install)
if [[ -n $version ]]; then
  "${pip[@]}" "llmdgen==$version"
else
  "${pip[@]}" --require-hashes --requirement "$root/requirements/run.lock"
  "${pip[@]}" --no-deps --no-build-isolation "$root"
fi
"$venv/bin/llmdgen" --version
