#!/usr/bin/env bash
# Makes the virtual environment .venv at the top of the repository and installs the backend into it, with the
# extras that are given: Testing/environment.sh engine,dev. What is there already stays.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON="${PYTHON:-python3}"

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
  echo "Python 3.10 or newer is needed; PYTHON=/path/to/python chooses one." >&2
  exit 1
fi
if ! .venv/bin/python -m pip --version > /dev/null 2>&1 && ! "$PYTHON" -m venv .venv; then
  echo "Python lacks its module venv; on Debian: apt-get install python3-venv" >&2
  exit 1
fi
# Before the package, so that pip does not choose; a PyTorch that is in .venv already is kept.
.venv/bin/python -c 'import torch' 2> /dev/null || .venv/bin/python -m pip install --quiet torch==2.13.0
.venv/bin/python -m pip install --quiet --editable "./TextSegmentBackend[$1]"
