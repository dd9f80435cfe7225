#!/usr/bin/env bash
# Every gate, on a machine that may have nothing yet: installs what is missing where it may, and says what was left
# out where it may not. Arguments go to the backend's pytest. With COMPLETE=1 it fails if anything was left out.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
MISSING="$("$here/system_packages.sh")"
"$here/environment.sh" engine,server,ray,train,dicom,node,dev
"$here/../.venv/bin/python" "$here/../TextSegmentBackend/tools/web_assets.py" --where-possible
export MISSING PYTHON="$here/../.venv/bin/python"
exec "$here/check.sh" "$@"
