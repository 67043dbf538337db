#!/bin/sh
# Installs the peers that tests/benchmarks compare with (load generators, process managers, matching engines), in a
# venv of their own.
# wrk comes from the system's packages (Debian: apt-get install wrk).
set -eu
venv="${1:-build/bench-peers}"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet locust==2.47.0 honcho==2.0.0
"$venv/bin/pip" install --quiet supervisor==4.3.0 circus==0.19.0 dekit-cli==0.10.3
"$venv/bin/pip" install --quiet obook==0.1.0 cython-orderbook==0.1.2
"$venv/bin/locust" --version
command -v wrk >/dev/null || echo "wrk is not installed: its column will be missing" >&2
