#!/usr/bin/env bash
# Segments a real chest CT by a line of text; arguments go to `textsegment demo`.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
"$here/environment.sh" engine
printf '\n%s\n\n' "──── textsegment demo ────────────────────────────────────────────────────────" >&2
exec "$here/../.venv/bin/textsegment" demo "$@"
