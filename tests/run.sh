#!/bin/sh
# Every test, in two halves side by side: those that load BPF mostly wait, the others mostly calculate. Usage: run.sh PYTHON
set -u
python=$1
kernel=$(mktemp)
trap 'rm -f "$kernel"' EXIT

"$python" -m pytest -q -m kernel >"$kernel" 2>&1 &
half=$!
"$python" -m pytest -q -m "not kernel"
others=$?
wait "$half"
status=$?
echo "tests: those that load BPF:"
cat "$kernel"
[ "$others" -eq 0 ] && [ "$status" -eq 0 ]
