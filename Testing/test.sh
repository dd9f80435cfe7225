#!/usr/bin/env bash
# Every gate in an environment of its own; arguments go to pytest.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
"$here/environment.sh" engine,server,ray,dicom,dev
PYTHON="$here/../.venv/bin/python" exec "$here/check.sh" "$@"
