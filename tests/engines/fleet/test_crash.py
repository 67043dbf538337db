"""Crash bundles: whole, bounded, without secrets."""

import datetime
import json
import os
from pathlib import Path

import pytest

from engines.fleet import crash, resp
from engines.fleet.buses import Bus
from engines.fleet.crash import Crash, Sources
from engines.fleet.facts import facts
from engines.fleet.process import Exit
from engines.wire.manifest import Limits, Manifest
from engines.wire.messages import Header, Signal, encode_body, encode_header

SECRET = "5e7c0ffee0"
STACK = [
    "Fatal Python error: Segmentation fault",
    "Current thread 0x00007f (most recent call first):",
    '  File "model.py", line 7 in step',
    '  File "serve.py", line 1 in run',
]


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    log = tmp_path / "risk.log"
    log.write_text("\n".join(["before", f"connected to unix://:{SECRET}@main.sock", *STACK, "after the stack"]) + "\n")
    return Sources(crashes=tmp_path / "crashes", log=log, buses=(), secrets=(SECRET, ""))


def end(manifest: Manifest | None = None) -> Crash:
    return Crash(
        unit="risk", at="2026-01-02T03:04:05.678Z", cause="killed by SIGSEGV", exit=Exit(None, 11), pid=os.getpid(),
        uptime_s=1.5, restarts=2, crashes=1, facts=facts(os.getpid(), 0.5), manifest=manifest,
    )  # fmt: skip


def test_a_bundle_tells_the_end_and_keeps_secrets_to_itself(sources: Sources) -> None:
    manifest = Manifest(name="risk", title="Risk", port=8200, env={"PASSWORD": "hunter2"}, limits=Limits(memory_mb=7))
    target = crash.path_of(sources.crashes, "risk", datetime.datetime(2026, 1, 2, 3, 4, 5, 678_000, datetime.UTC))
    assert target.name == "20260102T030405.678Z_risk"
    crash.write(end(manifest), sources, target)
    about = json.loads((target / "crash.json").read_text())
    assert (about["cause"], about["exit"]["signal"], about["restarts"]) == ("killed by SIGSEGV", 11, 2)
    assert about["facts"]["threads"] >= 1 and about["facts"]["files"] > 0 and about["facts"]["rss_kb"] > 1000
    assert about["manifest"]["limits"]["memory_mb"] == 7 and about["manifest"]["env"] == {"PASSWORD": "***"}
    assert (target / "stack.txt").read_text().splitlines() == STACK
    assert (target / "log.txt").read_text().splitlines()[0] == "before"
    whole = "".join(path.read_text() for path in target.iterdir())
    assert SECRET not in whole and "hunter2" not in whole and "unix://:***@main.sock" in whole
    assert target.stat().st_mode & 0o077 == 0
    assert [path.name for path in sources.crashes.iterdir()] == [target.name], "no draft is left"


def test_the_last_messages_are_there_by_id_and_header(sources: Sources, valkey_url: str) -> None:
    bus = Bus("main", valkey_url, external=True)
    header = Header("strategy", 3, 17, "bars/1-1", 0, "r1/window", 5, 6, 7)
    with resp.Connection(bus.address, 2.0) as link:
        link.ask("DEL", "signals", "commit:risk")
        place = link.ask("XADD", "signals", "*", "h", encode_header(header), "b", encode_body(Signal("s", "x", 1, "")))
    manifest = Manifest(name="risk", title="Risk", port=8200, consumes=("signals", "orders"))
    gone = Bus("market", "unix://@/nowhere.sock", external=True)
    buses = (bus, gone)
    found = Sources(crashes=sources.crashes, log=sources.log, buses=buses, secrets=sources.secrets)
    target = sources.crashes / "one"
    crash.write(end(manifest), found, target)
    messages = json.loads((target / "messages.json").read_text())
    (entry,) = messages["consumes"]["signals"]
    assert isinstance(place, bytes) and entry["id"] == place.decode()
    assert (entry["header"]["producer"], entry["header"]["seq"]) == ("strategy", 17) and entry["bytes"] > 0
    assert messages["consumes"]["orders"] == []
    assert len(messages["problems"]) == 1 and messages["problems"][0].startswith("bus-market")


def test_the_newest_stay(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"20260101T0000{number:02d}.000Z_risk").mkdir()
    (tmp_path / ".20260101T000000.000Z_risk").mkdir()
    crash.prune(tmp_path, 20)
    left = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("."))
    assert len(left) == 20 and left[0].startswith("20260101T000010")


def test_no_stack_no_file(sources: Sources) -> None:
    sources.log.write_text("nothing to see\n")
    crash.write(end(), sources, sources.crashes / "one")
    assert not (sources.crashes / "one" / "stack.txt").exists()


def test_a_bundle_is_written_by_a_process_of_its_own(sources: Sources) -> None:
    target = sources.crashes / "one"
    pid = crash.report(end(), sources, target)
    assert pid != os.getpid() and os.waitpid(pid, 0)[1] == 0
    assert (target / "crash.json").exists()
