"""A mission against engines that are broken on purpose catches each by name; against sound ones it accuses nobody.

The six defects do not hide each other, so one flight carries them all: a venue that trades through a halt, a strategy
that tells each fill twice, a factor engine that trims its stream, a VPIN engine that drops messages, analytics that lie
in `/health`, and backtesting that answers late.  The engines are a project's, each in the place of one that ships.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reports import verify

pytestmark = [pytest.mark.slow, pytest.mark.timeout(210)]

BROKEN = Path(__file__).parents[1] / "broken"
MISSION = BROKEN / "mission.toml"
ENGINES = {path.parent.name for path in BROKEN.glob("engines/*/engine.toml")}
MISSED = 5
LIMIT_S = 170  # a busy machine; alone it takes forty seconds


class Flight:
    """A flown mission's folder, read."""

    def __init__(self, place: Path, project: str) -> None:
        env = {**os.environ, "NAUTILUS_HOME": str(place / "home"), "NAUTILUS_PROJECT": project, "NO_COLOR": "1"}
        command = (sys.executable, "-m", "nautilus_cli", "stress", "run", str(MISSION), "--no-plots", "--json")
        pipe = subprocess.PIPE
        going = subprocess.Popen(
            (*command, "--runs", str(place / "runs")), env=env, stdout=pipe, stderr=pipe, text=True
        )
        try:
            said, self.said = going.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            going.send_signal(signal.SIGINT)  # it stops its fleet
            said, self.said = going.communicate()
        self.code = going.returncode
        assert said, self.said
        self.document: dict[str, Any] = json.loads(said)
        self.folder = Path(self.document["folder"])
        self.report = (self.folder / "REPORT.md").read_text("utf-8")
        self.verdicts = {item["id"]: item["verdict"] for item in self.document["criteria"]}

    @property
    def first_paragraph(self) -> str:
        """Of the report, below its first line."""
        _, _, rest = self.report.partition("## Executive summary\n\n")
        return rest.partition("\n\n")[0]

    @property
    def conclusions(self) -> str:
        """That section."""
        _, _, rest = self.report.partition("## Conclusions and recommendations")
        return rest.partition("\n## ")[0]

    def finding(self, start: str) -> str:
        """The conclusion that starts so; empty when there is none."""
        return next((line for line in self.report.splitlines() if line.startswith(f"- {start}")), "")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Flight:
    """All six at once."""
    return Flight(tmp_path_factory.mktemp("broken"), str(BROKEN))


def test_the_run_is_whole_and_missed(broken: Flight) -> None:
    assert broken.code == MISSED, broken.said
    assert "(whole run)" in broken.report.splitlines()[0]
    assert verify.verify(broken.folder).ok
    for name in ENGINES:
        assert f": replaced by {BROKEN / 'engines' / name}." in broken.report


def test_the_one_that_lies_in_health_stands_in_the_first_paragraph(broken: Flight) -> None:
    said = broken.first_paragraph
    assert said.startswith("Engines say of their own health what the records contradict. analytics: it says pid ")
    for part in ("its process is", "the ledger holds 0", "it says healthy and that nothing waits"):
        assert part in said
    assert {word.rstrip(":") for word in said.split() if word.endswith(":")} == {"analytics"}, "nobody else"
    assert broken.verdicts["honest-health"] == "MISSED"
    assert broken.verdicts["availability"] == "INVALID", "it rests on what they say"
    assert broken.verdicts["engines-alive"] == "MISSED", "its pid is not the one that was started"


def test_the_one_that_answers_late_is_named(broken: Flight) -> None:
    assert broken.verdicts["prompt-answers"] == "MISSED"
    assert "phase window" in broken.finding("backtesting answers late: ")
    assert broken.report.count(" answers late: ") == 1


def test_the_one_that_trims_its_stream_is_named(broken: Flight) -> None:
    assert broken.verdicts["zero-loss"] == "MISSED"
    lost = [line for line in broken.report.splitlines() if " were lost between " in line]
    assert lost and all("of topic factors were lost between factor, which publishes and trims it" in line
                        for line in lost)  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "invariant"),
    [
        ("vpin", "VPIN (every bucket exactly V; buckets + remainder = trades)"),  # it drops messages
        ("strategy", "an order's life (sum of fills"),  # it fills twice
        ("marketdata", "no match in a halt (no match of ours in [halt, resume))"),  # it trades through a halt
    ],
)
def test_the_one_that_breaks_an_invariant_is_named(broken: Flight, engine: str, invariant: str) -> None:
    assert broken.verdicts["invariants"] == "MISSED"
    assert broken.finding(f"{engine} published what broke an invariant, {invariant}")


def test_sound_engines_are_not_accused(tmp_path: Path) -> None:
    sound = Flight(tmp_path, "")
    assert "MISSED" not in sound.verdicts.values() and "INVALID" not in sound.verdicts.values(), sound.verdicts
    for name in ("honest-health", "prompt-answers", "zero-loss", "invariants", "engines-alive", "availability"):
        assert sound.verdicts[name] in ("ACHIEVED", "EXCEEDED"), name
    for words in ("contradict", "answers late", "were lost between", "broke an invariant", "replaced by", "unread"):
        assert words not in sound.first_paragraph + sound.conclusions, words
    assert verify.verify(sound.folder).ok
