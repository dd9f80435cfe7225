#!/usr/bin/env bash
# Every gate, the same here and in CI: style, types, layers, tests. Needs the extras
# [engine,server,ray,dicom,dev]; arguments go to the backend's pytest.
set -euo pipefail
cd "$(dirname "$0")/../TextSegmentBackend"
PYTHON="${PYTHON:-python}"

"$PYTHON" -m ruff check . ../TextSegment ../Testing
"$PYTHON" -m ruff format --check . ../TextSegment ../Testing
"$PYTHON" -m mypy src
"$PYTHON" -c "from importlinter.cli import lint_imports_command as main; main()"
"$PYTHON" -m pytest "$@"
cd ..
# One process each: the host's stand-ins replace modules of Qt and Slicer for good.
for folder in Testing/Mrml Testing/SlicerHost Testing/EndToEnd; do
  "$PYTHON" -m pytest -c Testing/pytest.ini "$folder"
done
