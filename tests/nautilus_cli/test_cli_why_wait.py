"""`why` and `wait` as they are shown: words and documents off a terminal, exit codes."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from typer.testing import Result

from engines.fleet import evidence
from engines.fleet.errors import TimedOut
from engines.fleet.waiting import Impossible
from engines.fleet.why import Diagnosis
from engines.wire.errors import NotRunning

Type = Callable[..., Result]
FAILED = Diagnosis(
    fleet="default", engine="plan", healthy=False, kind="failed", root="feed", chain=("plan", "risk", "feed"),
    what="feed was given up.", why="exit code 78.", next="nautilus restart feed", evidence=("feed: failed",),
    last_lines=("KeyError: 'x'",), bundle="/s/crashes/1_feed",
)  # fmt: skip


@pytest.fixture
def diagnosis(monkeypatch: pytest.MonkeyPatch) -> list[Diagnosis | Exception]:
    """What `why` finds; change the one element."""
    found: list[Diagnosis | Exception] = [FAILED]

    def diagnose(_fleet: str, _engine: str) -> Diagnosis:
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    monkeypatch.setattr(evidence, "diagnose", diagnose)
    return found


def test_why(nautilus: Type, diagnosis: list[Diagnosis | Exception]) -> None:
    shown = nautilus("why", "plan")
    assert shown.exit_code == 0
    assert shown.stdout == (
        "feed was given up.\n"
        "  exit code 78.\n"
        "  plan <- risk <- feed: each stands on the next.\n"
        "  - feed: failed\n"
        "  The last lines of feed:\n"
        "    KeyError: 'x'\n"
        "  Crash bundle: /s/crashes/1_feed\n"
    )
    assert shown.stderr == "Next: nautilus restart feed\n"
    document = json.loads(nautilus("why", "plan", "--json").stdout)
    assert document["schema"] == "nautilus.why/1" and document["chain"] == ["plan", "risk", "feed"]


def test_why_of_a_healthy_engine_has_no_next(nautilus: Type, diagnosis: list[Diagnosis | Exception]) -> None:
    diagnosis[0] = Diagnosis(
        fleet="default", engine="risk", healthy=True, kind="healthy", root="risk", chain=("risk",),
        what="risk is healthy.", why="", next="",
    )  # fmt: skip
    shown = nautilus("why", "risk")
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "risk is healthy.\n", "")


def test_why_of_a_fleet_that_never_was(nautilus: Type, home: object) -> None:
    shown = nautilus("why", "risk")
    assert shown.exit_code == 3 and "has never been up" in shown.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (Impossible("risk cannot become ready.", "because"), 1),
        (TimedOut("late"), 124),
        (NotRunning("no"), 3),
    ],
)
def test_wait_ends_with(nautilus: Type, monkeypatch: pytest.MonkeyPatch, error: Exception | None, code: int) -> None:
    asked: list[Any] = []

    class Fake:
        def __init__(self, fleet: str, engines: Sequence[str], target: str) -> None:
            asked.append((fleet, tuple(engines), target))

        def run(self, timeout: float, hear: Callable[[tuple[str, ...]], None]) -> None:
            asked.append(timeout)
            hear(("risk",))
            if error is not None:
                raise error
            hear(())

    monkeypatch.setattr("nautilus_cli.commands.wait.Waiting", Fake)
    shown = nautilus("wait", "risk", "--for", "ready", "--timeout", "5", "--json")
    assert shown.exit_code == code and asked == [("default", ("risk",), "ready"), 5.0]
    document = json.loads(shown.stdout)
    if error is None:
        assert (
            document["schema"] == "nautilus.wait/1" and document["engines"] == ["risk"] and document["state"] == "ready"
        )
        assert "risk: ready, after " in shown.stderr
    else:
        assert document["schema"] == "nautilus.error/1" and document["code"] == code
    assert "not ready: risk" in shown.stderr


def test_wait_for_what_is_no_state(nautilus: Type) -> None:
    shown = nautilus("wait", "--for", "happy")
    assert shown.exit_code == 2 and "'healthy', 'ready', 'stopped'" in shown.stderr
