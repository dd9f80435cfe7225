#!/usr/bin/env bash
# Every gate, the same here and in CI: style, types, layers, tests, coverage. Needs the extras
# [engine,server,ray,train,dicom,node,dev]; arguments go to the backend's pytest. WORKERS says how many processes run tests at
# once, MISSING which packages of the system are not there.
set -uo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cd "$here/../TextSegmentBackend"
PYTHON="${PYTHON:-python}"
WORKERS="${WORKERS:-3}" # on two cores: some tests only wait
MISSING="${MISSING:-}"
PATH="$PATH:/usr/sbin" # nginx, on Debian
results="$(mktemp -d)"
trap 'rm -rf "$results"' EXIT
export TEST_TIMES="$results/times"
# Hundreds of processes share what the first has compiled: without, each compiles the package and its tests anew.
unset PYTHONDONTWRITEBYTECODE
stages=() begun=() failed=0 left_out=()

# stage NAME COMMAND…: runs a gate, and remembers how it ended and how long it took.
stage() {
  local name="$1" begin="$SECONDS" code=0
  shift
  printf '\n──── %s\n' "$name"
  "$@" || code=1
  note "$name" "$code" "$((SECONDS - begin))"
}

note() {
  local result=passed
  [ "$2" = 0 ] || { result=FAILED; failed=1; }
  stages+=("$(printf '%6d s  %-6s  %s' "$3" "$result" "$1")")
}

# begin NAME COMMAND…: starts a gate beside others; `collect` waits for all of them.
begin() {
  local name="$1" begin="$SECONDS"
  shift
  (
    code=0
    "$@" > "$results/$name" 2>&1 || code=1
    echo "$code $((SECONDS - begin))" > "$results/$name.end"
  ) &
  begun+=("$name")
}

collect() {
  local name code seconds
  wait
  for name in "${begun[@]}"; do
    printf '\n──── %s\n' "$name"
    cat "$results/$name"
    read -r code seconds < "$results/$name.end"
    note "$name" "$code" "$seconds"
  done
  begun=()
}

finish() {
  printf '\n──── time\n'
  printf '%s\n' "${stages[@]}"
  printf '%6d s          all\n' "$SECONDS"
  if [ -s "$TEST_TIMES" ]; then
    printf '\nslowest files with tests: wall time, CPU time\n'
    sort -rn "$TEST_TIMES" | head -n 15
  fi
  if [ "${#left_out[@]}" -gt 0 ]; then
    printf '\n!!!! LEFT OUT: %s\n' "${left_out[@]}"
    [ -z "$MISSING" ] ||
      printf '!!!! To run that too: sudo apt-get install --yes --no-install-recommends %s\n' "$(echo $MISSING)"
    [ -z "${COMPLETE:-}" ] || failed=1
  fi
  [ "$failed" = 0 ] && printf '\nAll that ran passed.\n' || printf '\nFAILED\n'
  exit "$failed"
}

lacks() { grep --quiet --line-regexp --extended-regexp "$1" <<< "$MISSING"; }

# Whole files go to one process each, in the order that conftest.py gives them.
tests() {
  PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}" "$PYTHON" -m pytest -p time_table -p line_coverage \
    --numprocesses "$WORKERS" --dist loadfile --no-loadscope-reorder "$@"
}

# tests_of_module FOLDER…: one run each, since the host's stand-ins replace modules of Qt and Slicer for good. They run
# beside the tests of the backend, of which some only wait, so in this one process.
tests_of_module() (
  cd ..
  unset COVERAGE_PROCESS_START
  export XDG_RUNTIME_DIR="$(mktemp -d "$results/run.XXXXXX")" # where servers announce themselves
  WORKERS=0 failures=0
  for folder; do
    printf '\n──── %s\n' "$folder"
    tests -c Testing/pytest.ini "$folder" || failures=1
  done
  exit "$failures"
)

begin "style" "$PYTHON" -m ruff check . ../TextSegment ../Testing
begin "format" "$PYTHON" -m ruff format --check --quiet . ../TextSegment ../Testing
begin "types" "$PYTHON" -m mypy src
begin "types of the Slicer module" env -C "$here/.." "$PYTHON" -m mypy --config-file Testing/mypy.ini
begin "layers" "$PYTHON" -c "from importlinter.cli import lint_imports_command as main; main()"
begin "documentation" env NO_MKDOCS_2_WARNING=1 "$PYTHON" -m mkdocs build --quiet
collect
[ "$failed" = 0 ] || finish

# One thread of PyTorch in each process: with more, they wait for each other's processors, computing nothing.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
# Every Python process from here on is measured, those that tests start too.
export COVERAGE_PROCESS_START="$PWD/pyproject.toml" COVERAGE_FILE="$results/coverage"
! lacks nginx-light || left_out+=("tests behind nginx (TextSegmentBackend/tests/server/test_deployment.py)")
! lacks chromium || left_out+=("tests of the web workspace (TextSegmentBackend/tests/web)")
"$PYTHON" -c 'import sys; sys.path.append("tools"); import web_assets; sys.exit(not web_assets.are_there())' ||
  left_out+=("tests of what the web page needs files of others for: npm and TextSegmentBackend/tools/web_assets.py")
! lacks 'orthanc.*|dcmtk' || left_out+=("tests of the DICOM node with an archive (TextSegmentBackend/tests/node)")
if lacks 'lib.*|fonts.*'; then
  left_out+=("Testing/{Mrml,SlicerHost,EndToEnd} (tests of the Slicer module: they draw)")
else
  begin "tests of the Slicer module's panel" tests_of_module Testing/SlicerHost
  begin "tests of the rest of the Slicer module" tests_of_module Testing/EndToEnd Testing/Mrml
fi
stage "tests of the backend" tests "$@"
collect
[ "$#" -gt 0 ] || stage "coverage of lines of the backend" "$PYTHON" ../Testing/coverage_report.py
finish
