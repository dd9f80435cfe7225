#!/usr/bin/env bash
# Makes the virtual environment .venv at the top of the repository and installs the backend into it, with the
# extras that are given: Testing/environment.sh engine,dev. What is there already stays. Says on stderr how far it is.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON="${PYTHON:-python3}"
extras="$1"

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
  echo "Python 3.10 or newer is needed; PYTHON=/path/to/python chooses one." >&2
  exit 1
fi
if ! .venv/bin/python -m pip --version > /dev/null 2>&1; then
  echo "Making the environment .venv with $("$PYTHON" --version)" >&2
  if ! "$PYTHON" -m venv .venv; then
    echo "Python lacks its module venv; on Debian: sudo apt-get install python3-venv" >&2
    exit 1
  fi
fi

# Named after what was installed last, so that a second call has nothing to do.
pip_state() {
  .venv/bin/python -c 'import hashlib, pathlib, sys
text = pathlib.Path("TextSegmentBackend/pyproject.toml").read_bytes() + sys.argv[1].encode() + sys.version.encode()
print(hashlib.sha256(text).hexdigest()[:16])' "$extras"
}
done_mark=".venv/installed-$(pip_state)"
[ ! -e "$done_mark" ] || exit 0

# One line a package and how much of it has come, instead of silence or of all that pip says.
pip_install() {
  local bar=on
  ! .venv/bin/python -m pip install --help | grep -q 'raw' || bar=raw
  .venv/bin/python -m pip install --disable-pip-version-check --progress-bar "$bar" "$@" 2>&1 |
    tee .venv/install.log |
    awk -v terminal="$([ -t 2 ] && echo 1)" '
      /^Progress / { if (terminal) { printf "\r    %d of %d MB ", $2 / 1e6, $4 / 1e6; fflush() } next }
      terminal { printf "\r" }
      /^ *(Collecting|Downloading|Using cached|Installing|Successfully|ERROR)/ { print "  " substr($0, 1, 96) }
      { fflush() }' >&2 || { tail -n 20 .venv/install.log >&2; exit 1; }
}

# Before the package, so that pip does not choose; a PyTorch that is in .venv already is kept.
if ! .venv/bin/python -c 'import torch' 2> /dev/null; then
  echo "Installing PyTorch, the largest part: hundreds of megabytes, with CUDA several gigabytes" >&2
  pip_install torch==2.13.0
fi
echo "Installing textsegment[$extras]" >&2
pip_install --editable "./TextSegmentBackend[$extras]"
rm -f .venv/installed-*
touch "$done_mark"
