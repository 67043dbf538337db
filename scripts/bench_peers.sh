#!/bin/sh
# Installs the load generators that tests/benchmarks/bench_generator.py compares with, in a venv of their own.
# wrk comes from the system's packages (Debian: apt-get install wrk).
set -eu
venv="${1:-build/bench-peers}"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet locust==2.47.0
"$venv/bin/locust" --version
command -v wrk >/dev/null || echo "wrk is not installed: its column will be missing" >&2
