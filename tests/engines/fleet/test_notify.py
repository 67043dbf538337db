"""The operator's own command: run for what it is meant for, bounded, and told no secret."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from engines.fleet import notify, process
from engines.fleet.notify import Notifier
from engines.fleet.spec import Notify
from engines.fleet.status import Event

TELL = "import os, json; open({path!r}, 'a').write(json.dumps(dict(os.environ)) + chr(10))"


def event(state: str = "failed", kind: str = "unit") -> Event:
    return Event(seq=1, elapsed_s=0.0, kind=kind, name="risk", state=state, detail="5 crashes")  # type: ignore[arg-type]


def told(path: Path) -> list[dict[str, str]]:
    end = time.monotonic() + 10
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < end
        time.sleep(0.01)
    return [json.loads(line) for line in path.read_text().splitlines()]


def reap() -> None:
    for _ in process.reap():
        pass


def test_it_is_run_with_the_event_and_without_secrets(tmp_path: Path) -> None:
    path = tmp_path / "told"
    rule = Notify(command=(sys.executable, "-c", TELL.format(path=str(path))))
    notifier = Notifier(rule, "desk", tmp_path / "log", {**os.environ, "NAUTILUS_TOKEN": "planted"})
    assert not notifier.hear(event("ready")) and not notifier.hear(event("failed", "phase"))
    assert notifier.hear(event())
    (env,) = told(path)
    heard = json.loads(env["NAUTILUS_EVENT"])
    assert (heard["name"], heard["state"], heard["detail"]) == ("risk", "failed", "5 crashes")
    assert env["NAUTILUS_FLEET"] == "desk" and "planted" not in repr(env)
    reap()


def test_nobody_wants_to_be_told(tmp_path: Path) -> None:
    assert not Notifier(Notify(), "desk", tmp_path / "log", {}).hear(event())


def test_a_program_that_is_not_there_is_said_in_the_log(tmp_path: Path) -> None:
    notifier = Notifier(Notify(command=("no-such-bell",)), "desk", tmp_path / "log", {"PATH": "/bin"})
    assert not notifier.hear(event()) and notifier.left_out == 1
    assert "not told of risk failed: no-such-bell is no program" in (tmp_path / "log").read_text()


def test_so_many_at_once_and_none_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Notify(command=("sleep", "60"))
    notifier = Notifier(rule, "desk", tmp_path / "log", os.environ)
    try:
        assert [notifier.hear(event()) for _ in range(notify.MOST + 1)] == [True] * notify.MOST + [False]
        assert "too many run" in (tmp_path / "log").read_text()
        monkeypatch.setattr(notify, "LONGEST_S", 0.0)
        notifier.hear(event())
        gone = process.wait_gone([who for who, _ in notifier._running], 5)
        assert gone == []
    finally:
        for who, _ in notifier._running:
            process.send_group(who, signal.SIGKILL)
        reap()
