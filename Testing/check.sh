#!/usr/bin/env bash
# Every gate, the same here and in CI: style, types, layers, tests. Needs the extras [engine,dev].
set -euo pipefail
cd "$(dirname "$0")/../TextSegmentBackend"
PYTHON="${PYTHON:-python}"

"$PYTHON" -m ruff check .
"$PYTHON" -m ruff format --check .
"$PYTHON" -m mypy src
"$PYTHON" -c "from importlinter.cli import lint_imports_command as main; main()"
"$PYTHON" -m pytest "$@"
