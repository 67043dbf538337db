"""A role that raises what nobody foresaw: the run is sealed as broken, and no secret is in what is kept of it."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from engines.fleet import buses, folders
from engines.fleet.status import Event, FleetStatus, Paths, SupervisorStatus
from engines.wire.errors import NautilusError
from reports import history, records
from reports.verify import verify
from stress import baseline, broken, runner
from stress import mission as missions
from stress.fleet import MissionFleet
from stress.options import Options
from stress.run import Run
from stress.running import STATE

Role = Callable[[Run, object], Awaitable[None]]


class Quiet(MissionFleet):
    """A fleet of no engine that runs already; whether it was stopped, and how."""

    attached = True

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.stopped: list[bool] = []

    def up(self, on_event: Callable[[Event], None]) -> FleetStatus:
        supervisor = SupervisorStatus(
            pid=1, started_at="", uptime_s=0, launch="spawn", protocol=1, rss_mb=None, cpu_percent=None
        )
        paths = Paths(state="", logs="", store="", journal="", control="")
        self.status = FleetStatus(
            at="", fleet="f", host="127.0.0.1", port_offset=0, supervisor=supervisor, buses=(), engines=(), paths=paths
        )
        return self.status

    def pids(self) -> dict[str, int]:
        return {}

    def down(self, *, now: bool = False) -> None:
        self.stopped.append(now)

    def keep_logs(self, target: Path) -> None:
        """There are none."""


Flown = Callable[[Role], tuple[runner.Outcome, Quiet]]


@pytest.fixture
def flown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flown:
    """A whole run of a mission whose phases do this."""

    async def begin(*_: Any) -> dict[baseline.Key, records.Ledger]:
        return {}

    fleet = Quiet(tmp_path / "home")
    monkeypatch.setattr(baseline, "begin", begin)
    monkeypatch.setattr(runner, "_fleet", lambda *_: contextlib.nullcontext(fleet))

    def fly(role: Role) -> tuple[runner.Outcome, Quiet]:
        monkeypatch.setattr(runner, "carry_out", role)
        options = Options(runs=tmp_path / "runs", plots=False, argv=("nautilus",))
        return runner.run(missions.load("health"), options, lambda _: None), fleet

    return fly


async def faulty(run: Run, _: object) -> None:
    run.phase("idle", "start", measured=True)
    raise KeyError("no such thing")


def test_a_fault_of_ours_ends_the_fleet_and_seals_the_run(flown: Flown) -> None:
    outcome, fleet = flown(faulty)
    assert fleet.stopped == [True]
    assert outcome.broke is not None and outcome.broke.log == outcome.folder / broken.LOG
    assert outcome.interrupted is None and outcome.verdict == "INVALID" and outcome.verified
    checked = verify(outcome.folder)
    assert (checked.ok, checked.status, checked.mismatches) == (True, "ok", ())
    end = history.read(outcome.folder).end
    assert end is not None and end.status == "broken"
    assert end.reason == "KeyError: 'no such thing' (traceback: runner.log)"
    first = outcome.report.read_text().split("\n\n")
    assert first[0].startswith("# INVALID (BROKEN, its runner broke: KeyError: 'no such thing'")
    assert first[2].startswith("This run is not whole: its runner broke: KeyError: 'no such thing'")
    assert "INVALID or worse" in first[2]
    assert not (outcome.folder / STATE).exists()  # nothing is left for `nautilus stress stop`


def test_the_traceback_names_the_place_and_no_variable(flown: Flown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "s3cret-of-mine")
    monkeypatch.setenv("HARMLESS", "a-word-of-the-environment")

    async def role(run: Run, _: object) -> None:
        where = folders.of(run.fleet.name, run.fleet.home)
        where.state.mkdir(parents=True)
        keys = buses.load_secrets(where.secrets)
        raise ValueError(f"{keys.token} and {keys.main} and {os.environ['SOME_API_KEY']}")

    outcome, fleet = flown(role)
    where = folders.of(fleet.name, fleet.home)
    keys = buses.load_secrets(where.secrets)
    log = outcome.folder / broken.LOG
    assert log.stat().st_mode & 0o777 == 0o600
    text = log.read_text()
    assert "test_broken.py" in text and "raise ValueError" in text and "ValueError: *** and *** and ***" in text
    whole = "".join(path.read_text(errors="replace") for path in outcome.folder.rglob("*") if path.is_file())
    for secret in (keys.token, keys.main, "s3cret-of-mine", "a-word-of-the-environment"):
        assert secret not in whole
    assert outcome.broke is not None and outcome.broke.words == "ValueError: *** and *** and ***"


def test_what_breaks_after_a_signal_is_kept_and_the_signal_is_what_ended_it(flown: Flown) -> None:
    async def role(run: Run, _: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise KeyError("late")

    outcome, _ = flown(role)
    assert outcome.interrupted is signal.SIGINT and outcome.verdict == "UNKNOWN" and outcome.verified
    assert outcome.broke is not None and "KeyError: 'late'" in outcome.report.read_text().split("\n\n")[2]


def test_an_error_with_words_of_its_own_is_no_broken_runner(flown: Flown) -> None:
    async def role(run: Run, _: object) -> None:
        raise NautilusError("The tape is torn.")

    outcome, _ = flown(role)
    end = history.read(outcome.folder).end
    assert outcome.broke is None and end is not None and (end.status, end.reason) == ("failed", "The tape is torn.")
    assert not (outcome.folder / broken.LOG).exists()


def test_of_tasks_that_broke_together_the_first_is_named_and_all_are_in_the_traceback(flown: Flown) -> None:
    async def role(run: Run, _: object) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(faulty(run, None))
            group.create_task(asyncio.sleep(30.0))

    outcome, _ = flown(role)
    assert outcome.broke is not None and outcome.broke.words == "KeyError: 'no such thing'"
    assert "ExceptionGroup" in (outcome.folder / broken.LOG).read_text()


def test_a_log_that_cannot_be_written_leaves_the_words(tmp_path: Path) -> None:
    (tmp_path / broken.LOG).mkdir()
    kept = broken.keep(tmp_path, Quiet(tmp_path / "home"), RuntimeError("x " * 400), {})
    assert kept.log is None and kept.words == kept.reason
    assert kept.words.startswith("RuntimeError: x x") and len(kept.words) < 330


def test_a_password_of_a_bus_url_is_masked(tmp_path: Path) -> None:
    env = {"NAUTILUS_BUS_MAIN_URL": "redis://me:hidden-word@10.0.0.1:6379/0", "NAUTILUS_BUS_MARKET_URL": "nonsense"}
    kept = broken.keep(tmp_path, Quiet(tmp_path / "home"), OSError("AUTH hidden-word refused"), env)
    assert kept.words == "OSError: AUTH *** refused"
    assert "hidden-word" not in (tmp_path / broken.LOG).read_text()
