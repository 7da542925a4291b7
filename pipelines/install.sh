#!/usr/bin/env bash
# llmdgen, as it is in this checkout, in a virtual environment of its own, with what its lock file names and hashes.
#
# LLMDGEN_VENV  where the environment is made
#
# It is run in checkouts of strangers: python is isolated (-I) and runs here, so that no venv.py or pip.py beside it is
# taken for Python's own. Nothing comes from an index by the name `llmdgen`, which anybody could register there.
set -euo pipefail

venv=${LLMDGEN_VENV:?}
[[ $venv == /* ]] || venv=$PWD/$venv
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python3 -I -m venv "$venv"
pip=("$venv/bin/python" -I -m pip --quiet --disable-pip-version-check install)
"${pip[@]}" --require-hashes --requirement requirements/run.lock
"${pip[@]}" --no-deps --no-build-isolation .
"$venv/bin/llmdgen" --version
