"""The operators' log: who, what, when and with which outcome; and no secret of anybody's command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines.fleet import audit
from engines.fleet.audit import Audited, Peer
from engines.fleet.control import Request
from engines.wire.errors import UnknownName

ME = Peer(uid=os.getuid(), pid=os.getpid())


def answer(request: Request, who: str) -> object:
    if "rsk" in request.engines:
        raise UnknownName("engine", "rsk", ["risk"])
    if "boom" in request.engines:
        raise ZeroDivisionError
    return who


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def test_changes_are_recorded_with_their_outcome_and_looks_are_not(log: Path) -> None:
    asked = Audited(answer, log, lambda: 1e9)
    assert asked(Request(op="status"), ME) == ME.text
    asked(Request(op="reload", dry=True), ME)
    assert not log.exists()
    asked(Request(op="stop", now=True, reason="drill"), ME)
    with pytest.raises(UnknownName):
        asked(Request(op="restart", engines=("rsk",)), ME)
    with pytest.raises(ZeroDivisionError):
        asked(Request(op="restart", engines=("boom",)), ME)
    stop, restart, boom = audit.read(log)
    assert (stop.op, stop.outcome, stop.detail, stop.at) == ("stop", "ok", "drill now", "2001-09-09T01:46:40.000+00:00")
    assert (restart.engines, restart.outcome) == (("rsk",), "refused: There is no engine 'rsk'.")
    assert boom.outcome == "failed", "a defect is not a success"
    assert (stop.uid, stop.pid) == (os.getuid(), os.getpid()) and stop.user
    assert log.stat().st_mode & 0o777 == 0o600


def test_it_is_only_ever_appended_to(log: Path) -> None:
    audit.record(log, "up", "ok", engines=("risk",))
    first = log.read_bytes()
    audit.record(log, "clear", "ok")
    assert log.read_bytes().startswith(first)
    with log.open("ab") as file:
        file.write(b'{"at": "cut sho')
    assert [entry.op for entry in audit.read(log)] == ["up", "clear"]


def test_what_cannot_be_written_stops_nothing_and_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Audited(answer, tmp_path / "gone/audit.jsonl")(Request(op="stop"), ME) == ME.text
    assert "not recorded: stop" in capsys.readouterr().err


def test_over_tcp_only_the_address_is_known(log: Path) -> None:
    Audited(answer, log)(Request(op="stop", token="planted"), Peer(address="10.0.0.1:5"))
    (entry,) = audit.read(log)
    assert (entry.address, entry.uid, entry.pid) == ("10.0.0.1:5", None, None) and "planted" not in log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_program_is_named_and_none_of_its_arguments(tmp_path: Path) -> None:
    script = tmp_path / "operate.py"
    script.write_text(
        "import json, os, sys\nfrom engines.fleet.audit import Peer, describe\n"
        "print(json.dumps(describe(Peer(uid=os.getuid(), pid=os.getpid()))))"
    )
    done = subprocess.run([sys.executable, script, "--password=planted"], stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout)["program"] == "operate.py" and b"planted" not in done.stdout
    module = subprocess.run(
        [sys.executable, "-c", f"exec(open({str(script)!r}).read())", "planted"], stdout=subprocess.PIPE, check=True
    )
    assert json.loads(module.stdout)["program"].startswith("python") and b"planted" not in module.stdout
    with subprocess.Popen(["sleep", "5"]) as other:
        assert audit.describe(Peer(uid=0, pid=other.pid))["program"] == "sleep"
        other.kill()
