"""Fleet commands over a fake of the fleet's interface: exit codes, documents, words."""

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from typer.testing import Result

from engines.fleet import api
from engines.fleet.errors import TimedOut
from engines.fleet.logview import Line, Wanted
from engines.fleet.spec import FleetSpec
from engines.fleet.status import (
    BusStatus,
    EngineHealth,
    EngineStatus,
    Event,
    FleetStatus,
    Paths,
    SupervisorStatus,
)
from engines.wire.errors import NotRunning, PortInUse
from engines.wire.health import Check

Type = Callable[..., Result]
Hear = Callable[[Event], None]


def engine(
    name: str, state: str = "ready", port: int = 8200, cause: str = "", waits: tuple[str, ...] = ()
) -> EngineStatus:
    """An engine's status."""
    up = state in ("ready", "degraded", "halted")
    return EngineStatus(
        name=name, title=name.title(), state=state, wanted=state != "declared", pid=11 if up else None,
        uptime_s=61.5 if up else None, restarts=2, rss_mb=66.6 if up else None, cpu_percent=None, port=port,
        critical=True, boot_s=0.42 if up else None, cause=cause, waits_for=waits,
    )  # fmt: skip


def fleet(*engines: EngineStatus, already: bool = False) -> FleetStatus:
    """A fleet's status."""
    supervisor = SupervisorStatus(
        pid=7, started_at="2026-01-01T00:00:00+00:00", uptime_s=3.5, launch="spawn", protocol=1, rss_mb=20.0,
        cpu_percent=1.0,
    )  # fmt: skip
    bus = BusStatus(
        name="main", state="ready", address="unix:///x/main.sock", external=False, pid=9, uptime_s=3.0, restarts=0,
        rss_mb=6.0, cause="",
    )  # fmt: skip
    paths = Paths(state="/s", logs="/s/logs", store="/s/store", journal="/s/j", control="/r/c")
    return FleetStatus(
        at="2026-01-01T00:00:00+00:00", fleet="default", host="127.0.0.1", port_offset=0, supervisor=supervisor,
        buses=(bus,), engines=engines, paths=paths, already=already,
    )  # fmt: skip


def report(name: str, status: str = "healthy", error: str = "", checks: tuple[Check, ...] = ()) -> EngineHealth:
    plain = {
        "name": name, "title": name.title(), "port": 8200, "status": status, "response_ms": None if error else 1.25,
        "uptime_s": 9.5, "pid": 11, "restarts": 0, "features": ["3 limits"], "error": error,
    }  # fmt: skip
    return msgspec.structs.replace(msgspec.convert(plain, EngineHealth), checks=checks)


class Fleet:
    """The interface, answering as told; `asked` keeps what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = fleet(engine("risk"), engine("vpin", "declared", 10000))
        self.reports = [report("risk")]
        self.events = [
            Event(seq=1, elapsed_s=0.1, kind="unit", name="risk", state="starting", total=1),
            Event(seq=2, elapsed_s=0.2, kind="unit", name="risk", state="backoff", detail="exit 3", total=1),
            Event(seq=3, elapsed_s=0.5, kind="unit", name="risk", state="ready", ready=1, total=1),
        ]
        self.error: Exception | None = None
        self.asked: list[object] = []
        for name in ("up", "status", "health", "down", "restart", "logs", "foreground"):
            monkeypatch.setattr(api, name, getattr(self, name))

    def _answer(self, *asked: object) -> None:
        self.asked.append(asked)
        if self.error is not None:
            raise self.error

    def up(
        self, spec: FleetSpec, on_event: Hear | None = None, timeout: float = 0, *, wait: bool = True
    ) -> FleetStatus:
        self._answer("up", spec.name, spec.engines, spec.port_offset, timeout, wait)
        for event in self.events if on_event is not None else ():
            on_event(event)
        return self.now

    def foreground(self, spec: FleetSpec, on_event: Hear) -> None:
        self._answer("foreground", spec.engines)
        for event in self.events:
            on_event(event)
            if event.kind == "stopped":
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)

    def status(self, name: str) -> FleetStatus:
        self._answer("status", name)
        return self.now

    def health(self, name: str) -> Sequence[EngineHealth]:
        self._answer("health", name)
        return self.reports

    def down(self, name: str, now: bool, on_event: Hear, timeout: float) -> None:
        self._answer("down", name, now, timeout)
        on_event(Event(seq=4, elapsed_s=1.0, kind="unit", name="risk", state="stopping", ready=1, total=1))

    def restart(self, name: str, one: str, on_event: Hear, timeout: float, *, now: bool) -> FleetStatus:
        self._answer("restart", name, one, now)
        return self.now

    def logs(self, name: str, engines: tuple[str, ...], wanted: Wanted, *, follow: bool) -> list[Line]:
        self._answer("logs", name, engines, wanted.lines, wanted.since, follow)
        return [Line("risk", 1767604331.5, "first"), Line("vpin", None, "second")]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    return Fleet(monkeypatch)


def test_up(nautilus: Type, fake: Fleet) -> None:
    shown = nautilus("up", "risk", "--port-offset", "20000", "--timeout", "9", "--fleet", "blue")
    assert shown.exit_code == 0 and fake.asked == [("up", "blue", ("risk",), 20000, 9.0, True)]
    assert shown.stdout.splitlines()[1].split() == ["risk", "8200", "ready", "0.42", "s", "11"]
    assert shown.stderr.startswith("Starting fleet 'blue'") and "1 of 1 engine ready in" in shown.stderr
    assert "risk backoff: exit 3" in shown.stderr, "trouble on the way is told"


def test_up_of_all_names_none(nautilus: Type, fake: Fleet) -> None:
    nautilus("up")
    assert fake.asked == [("up", "default", None, 0, api.UP_TIMEOUT_S, True)]


def test_up_twice(nautilus: Type, fake: Fleet) -> None:
    fake.now = fleet(engine("risk"), engine("vpin", "declared"), already=True)
    shown = nautilus("up")
    assert shown.exit_code == 0 and "Fleet 'default' is already up: 1 of 1 engine ready." in shown.stderr
    assert "Not asked for yet: vpin." in shown.stderr


def test_up_without_waiting_judges_nothing(nautilus: Type, fake: Fleet) -> None:
    fake.now = fleet(engine("risk", "starting", waits=("marketdata",)))
    shown = nautilus("up", "--no-wait")
    assert shown.exit_code == 0 and "waits for marketdata" in shown.stdout and "--watch" in shown.stderr


def test_up_with_an_engine_that_failed(nautilus: Type, fake: Fleet) -> None:
    lost = msgspec.structs.replace(
        engine("vpin", "failed", cause="5 crashes in 60 s"), last_lines=("a", "KeyError: 'x'")
    )
    fake.now = fleet(engine("risk"), lost)
    fake.events += fake.events[1:2] * 3
    shown = nautilus("up")
    assert "vpin: KeyError: 'x'" in shown.stderr and shown.stderr.count("risk backoff: exit 3") == 1
    assert shown.exit_code == 4 and "5 crashes in 60 s" in shown.stdout and "Next: nautilus logs vpin" in shown.stderr


def test_up_json_and_quiet(nautilus: Type, fake: Fleet) -> None:
    shown = nautilus("up", "--json", "-q")
    assert shown.stderr == "" and json.loads(shown.stdout)["schema"] == "nautilus.status/1"
    shown = nautilus("up", "-q")
    assert shown.output == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [(PortInUse("1 port is in use.", "risk needs 8200, held by pid 5 (x)."), 1), (TimedOut("late"), 124)],
)
def test_up_that_cannot(nautilus: Type, fake: Fleet, error: Exception, code: int) -> None:
    fake.error = error
    shown = nautilus("up")
    assert shown.exit_code == code and f"Error: {error.args[0]}" in shown.stderr and shown.stdout == ""


def test_foreground_follows_and_ends_as_interrupted(nautilus: Type, fake: Fleet) -> None:
    fake.events.append(Event(seq=9, elapsed_s=2.0, kind="stopped"))
    shown = nautilus("up", "--foreground")
    assert shown.exit_code == 130 and shown.stdout == ""
    assert "risk ready" in shown.stderr and "Stopping the fleet; Ctrl-C again skips the grace." in shown.stderr


def test_foreground_that_cannot_start(nautilus: Type, fake: Fleet) -> None:
    fake.events = [Event(seq=1, elapsed_s=0.1, kind="fatal", name="bus-main", state="failed", detail="no memory")]
    shown = nautilus("up", "--foreground")
    assert shown.exit_code == 1 and "no memory" in shown.stderr and "nautilus logs bus-main" in shown.stderr


def test_down(nautilus: Type, fake: Fleet) -> None:
    shown = nautilus("down", "--now")
    assert shown.exit_code == 0 and fake.asked == [("down", "default", True, api.DOWN_TIMEOUT_S)]
    assert shown.stderr.endswith("Fleet 'default' is down.\n") and shown.stdout == ""
    assert json.loads(nautilus("down", "--json").stdout) == {
        "schema": "nautilus.down/1",
        "fleet": "default",
        "stopped": True,
    }


def test_down_twice(nautilus: Type, fake: Fleet) -> None:
    fake.error = NotRunning("No fleet is running.")
    shown = nautilus("down", "--json")
    assert shown.exit_code == 0 and json.loads(shown.stdout)["stopped"] is False and "was not running" in shown.stderr


def test_status(nautilus: Type, fake: Fleet) -> None:
    shown = nautilus("status")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Fleet 'default': 1 of 1 engine ready, supervisor 7 up 3.50 s, port offset 0\n")
    assert "risk    ready      11  1 m 01 s         2      -       66.6   8200" in shown.stdout.splitlines()
    assert "unix:///x/main.sock" in shown.stdout
    assert json.loads(nautilus("status", "--json").stdout)["engines"][0]["name"] == "risk"


def test_status_of_a_fleet_in_trouble(nautilus: Type, fake: Fleet) -> None:
    fake.now = fleet(engine("risk", "backoff", cause="exit 3"), engine("vpin", "starting"))
    shown = nautilus("status")
    assert shown.exit_code == 4 and "exit 3" in shown.stdout and "Next: nautilus why risk" in shown.stderr


@pytest.mark.parametrize("command", ["status", "health"])
def test_watch_streams_documents(nautilus: Type, fake: Fleet, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def enough(_seconds: float) -> None:
        if len(fake.asked) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", enough)
    shown = nautilus(command, "--watch", "--jsonl")
    assert shown.exit_code == 0, "there is no other way to end it"
    assert [json.loads(line)["schema"] for line in shown.stdout.splitlines()] == [f"nautilus.{command}/1"] * 3
    fake.asked.clear()
    assert nautilus(command, "--watch", "--interval", "0.1").stdout.count("ENGINE") == 3


@pytest.mark.parametrize(
    "words", [("status", "--watch"), ("health", "--watch"), ("logs", "--follow"), ("up", "--foreground")]
)
def test_a_stream_is_not_one_document(nautilus: Type, fake: Fleet, words: tuple[str, ...]) -> None:
    shown = nautilus(*words, "--json")
    assert shown.exit_code == 2 and "a stream is not one document" in shown.stderr and fake.asked == []


def test_health(nautilus: Type, fake: Fleet) -> None:
    shown = nautilus("health")
    assert shown.exit_code == 0
    heads, row = shown.stdout.splitlines()[:2]
    assert heads.split("  ")[0] == "ENGINE" and "SPECIAL FEATURES" in heads
    assert row.split() == ["risk", "8200", "healthy", "1.25", "9.50", "s", "3", "limits"]
    assert "1 of 1 healthy (100.0 %), 1.25 ms on average" in shown.stdout


def test_health_document(nautilus: Type, fake: Fleet) -> None:
    fake.reports = [report("risk"), report("vpin", "down", "refused (crashed)")]
    shown = nautilus("health", "--json")
    assert shown.exit_code == 4
    document = json.loads(shown.stdout)
    assert set(document) == {"schema", "at", "engines", "summary"} and document["schema"] == "nautilus.health/1"
    wanted = {"name", "title", "port", "status", "response_ms", "uptime_s", "pid", "restarts", "features", "checks"}
    assert wanted <= set(document["engines"][0])
    assert document["summary"].items() >= {
        "total": 2, "healthy": 1, "availability_percent": 50.0, "average_response_ms": 1.25,
    }.items()  # fmt: skip


def test_health_of_a_degraded_engine_tells_the_check(nautilus: Type, fake: Fleet) -> None:
    fake.reports = [report("risk", "degraded", checks=(Check("store", "fail", "locked by pid 5"), Check("bus", "ok")))]
    shown = nautilus("health")
    assert shown.exit_code == 4 and "store: locked by pid 5; 3 limits" in shown.stdout
    assert "Next: nautilus why risk" in shown.stderr


def test_health_of_one(nautilus: Type, fake: Fleet) -> None:
    fake.reports = [report("risk"), report("strategy", "degraded")]
    assert nautilus("health", "risk").exit_code == 0
    unknown = nautilus("health", "rsk")
    assert unknown.exit_code == 2 and "Did you mean 'risk'?" in unknown.stderr
    idle = nautilus("health", "vpin")
    assert idle.exit_code == 3 and "Next: nautilus up vpin" in idle.stderr


def test_restart(nautilus: Type, fake: Fleet) -> None:
    assert nautilus("restart", "risk").exit_code == 0 and fake.asked == [("restart", "default", "risk", False)]
    assert nautilus("restart", "risk", "--now").exit_code == 0
    assert fake.asked[-1] == ("restart", "default", "risk", True)
    fake.now = fleet(engine("risk", "failed", cause="exit 78"))
    shown = nautilus("restart", "risk")
    assert shown.exit_code == 4 and "exit 78" in shown.stdout


def test_logs(nautilus: Type, fake: Fleet) -> None:
    shown = nautilus("logs", "-n", "3")
    assert fake.asked == [("logs", "default", (), 3, None, False)]
    assert shown.stdout == "risk        first\nvpin        second\n"
    assert nautilus("logs", "risk").stdout == "first\nsecond\n", "one name needs no heading"
    assert nautilus("logs", "risk", "vpin").stdout == shown.stdout
    assert json.loads(nautilus("logs", "--json").stdout) == {
        "schema": "nautilus.logs/1",
        "fleet": "default",
        "lines": [
            {"name": "risk", "at": "2026-01-05T09:12:11.500+00:00", "text": "first"},
            {"name": "vpin", "at": None, "text": "second"},
        ],
    }
    first = nautilus("logs", "--jsonl", "-f").stdout.splitlines()[0]
    assert first == '{"name":"risk","at":"2026-01-05T09:12:11.500+00:00","text":"first"}'


def test_logs_since_shows_all_and_n_bounds_it(nautilus: Type, fake: Fleet) -> None:
    nautilus("logs")
    nautilus("logs", "--since", "2026-01-05T09:00:00Z")
    nautilus("logs", "--since", "2026-01-05T09:00:00Z", "-n", "7")
    assert [asked[3:5] for asked in fake.asked] == [(50, None), (None, 1767603600.0), (7, 1767603600.0)]  # type: ignore[index]


@pytest.mark.parametrize(("flag", "value"), [("--grep", "["), ("--since", "yesterday"), ("-n", "-1")])
def test_logs_of_what_cannot_be(nautilus: Type, fake: Fleet, flag: str, value: str) -> None:
    shown = nautilus("logs", flag, value)
    assert shown.exit_code == 2 and shown.stdout == "" and "Next: " in shown.stderr and fake.asked == []


def test_following_logs_ends_well_by_ctrl_c(nautilus: Type, fake: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def until_interrupted(*_: object, **__: object) -> Iterator[Line]:
        yield Line("risk", None, "first")
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "logs", until_interrupted)
    assert (nautilus("logs", "-f").exit_code, nautilus("logs").exit_code) == (0, 130)


def test_logs_of_a_fleet_that_never_was(nautilus: Type, home: Path) -> None:
    shown = nautilus("logs")
    assert shown.exit_code == 3 and "has never been up" in shown.stderr and "Start it: nautilus up" in shown.stderr


def test_nothing_runs(nautilus: Type) -> None:
    for command in ("health", "status"):
        shown = nautilus(command)
        assert shown.exit_code == 3 and "Next: Start it: nautilus up" in shown.stderr and shown.stdout == ""


def test_the_fleet_comes_from_the_environment_unless_a_flag_names_it(
    nautilus: Type, fake: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAUTILUS_FLEET", "blue")
    nautilus("status")
    nautilus("status", "--fleet", "green")
    assert fake.asked == [("status", "blue"), ("status", "green")]
