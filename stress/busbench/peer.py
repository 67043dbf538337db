"""redis-benchmark beside us: the same entry, pipeline and server settings, on a server that asks for no password."""

import csv
import os
import shutil
import subprocess
from collections.abc import Mapping

import msgspec

from engines.wire.messages import Header, encode_body, encode_header
from stress.busbench import bodies, servers

TOOL = "redis-benchmark"
_LIMIT_S = 120.0


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """What redis-benchmark measured.  It publishes only: nobody reads, nothing is counted at the other end.

    `per_s` is None where it is not available, and `why` says why.
    """

    tool: str = TOOL
    version: str = ""
    per_s: float | None = None
    p99_ms: float | None = None  # of a pipeline
    requests: int = 0
    pipeline: int = 0
    why: str = ""


def measure(requests: int, pipeline: int, env: Mapping[str, str] = os.environ) -> Peer:
    """XADD of an entry as long as our single message, over one connection.  Raises BenchError for its server."""
    tool = shutil.which(TOOL, path=env.get("PATH"))
    if tool is None:
        return Peer(why=f"{TOOL} is not installed (Debian: redis-tools)")
    header = len(encode_header(Header("bench-main", 1, requests, "", requests, "bench", 1 << 60, 1 << 60, 1 << 60)))
    body = len(encode_body(bodies.order(requests)))
    with servers.open_server() as bus:
        command = [tool, "-s", bus.address.path, "-c", "1", "-P", str(pipeline), "-n", str(requests), "--csv"]
        command += ["XADD", "orders", "*", "h", "h" * header, "b", "b" * body]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            return Peer(why=f"{TOOL} did not end in {_LIMIT_S:.0f} s")
    found = parse(done.stdout)
    if done.returncode != 0 or found is None:
        return Peer(why=f"{TOOL} failed: {(done.stderr or done.stdout).strip()[-200:]}")
    said = subprocess.run([tool, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    return Peer(version=said, per_s=found[0], p99_ms=found[1], requests=requests, pipeline=pipeline)


def parse(text: str) -> tuple[float, float] | None:
    """Requests a second and p99 in ms from its CSV; None where it holds neither."""
    rows = list(csv.DictReader(text.splitlines()))
    try:
        return float(rows[-1]["rps"]), float(rows[-1]["p99_latency_ms"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None
