#!/usr/bin/env bash
# Measures what is committed of audits' throughput on this machine, which should have nothing else to do, and writes
# the table and chart of docs/explanation/performance.md. Arguments go to every measurement, such as --repeats 1.
set -euo pipefail
cd "$(dirname "$0")/.."

isa="$(python -P -c 'from zoom_engine import ops; print(ops.isa())')"
rm -f bench/results/{quick,audit}-"$isa".json # nothing of an earlier revision stays
python bench/throughput.py --suite quick --json "bench/results/quick-$isa.json" "$@"
python bench/throughput.py --suite audit --json "bench/results/audit-$isa.json" "$@"
python bench/performance_page.py --write "bench/results/audit-$isa.json"
