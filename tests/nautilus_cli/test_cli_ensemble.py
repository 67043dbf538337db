"""`nautilus data scenario NAME --seeds N`: the child's tapes are the engine's own; it never outlives us."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import psutil
import pytest
from typer.testing import Result

from engines.marketdata.tape.ensemble import ensemble
from engines.marketdata.tape.overlays.lay import lay
from engines.marketdata.tape.tape import make
from engines.wire.errors import DataError
from engines.wire.scenario import Overlay
from engines.wire.scenario_file import FOLDER, load
from nautilus_cli import ensembles
from nautilus_cli.commands.data_scenario import values
from nautilus_cli.exits import ExitCode

Type = Callable[..., Result]
SMALL = replace(load("flash-crash-2010"), ticks=20_000)


@pytest.fixture
def small(tmp_path: Path) -> str:
    """A scenario of 20,000 ticks with an overlay, in a file of the user's own."""
    text = (FOLDER / "flash-crash-2010.toml").read_text("utf-8").replace("ticks = 200_000", "ticks = 20_000")
    assert "ticks = 20_000" in text
    file = tmp_path / "small.toml"
    file.write_text(text + '\n[[overlays]]\nkind = "crossed"\nstart = 14:00:00\nend = 14:01:00\n', "utf-8")
    return str(file)


def test_it_shows_what_the_engine_makes_of_each_seed(nautilus: Type, small: str) -> None:
    done = nautilus("data", "scenario", small, "--seeds", "2", "--json")
    document = json.loads(done.stdout)
    assert (document["schema"], document["seeds"]) == ("nautilus.ensemble/1", 2)
    (only,) = document["scenarios"]
    known = load(small)
    assert [each["seed"] for each in only["tapes"]] == [1, 2]
    assert [each["digest"] for each in only["tapes"]] == [
        lay(make(known, seed), known.overlays).digest() for seed in (1, 2)
    ]
    assert only["tapes"][0]["digest"] != make(known, 1).digest()  # the overlay is in it
    own = {each.name: each for each in ensemble(known, [1, 2]).spreads}
    assert {each["name"] for each in only["spreads"]} == set(own) == set(ensembles._WORDS)
    for each in only["spreads"]:
        assert (each["mean"], each["sd"], each["high"]) == (
            own[each["name"]].mean, own[each["name"]].sd, own[each["name"]].high
        )  # fmt: skip
    shown = nautilus("data", "scenario", small, "--seeds", "1")
    assert shown.exit_code == ExitCode.OK
    (line,) = (line for line in shown.stdout.splitlines() if line.startswith("fall"))
    assert line.split()[-4:] == ["6", "0", "6", "6"]
    assert "1/1" in shown.stderr


def test_severities_are_swept_and_their_conflicts_told(nautilus: Type, small: str) -> None:
    done = nautilus("data", "scenario", small, "--seeds", "1", "--fall", "0.05:0.2:2", "--depth", "0.1", "--json")
    low, high = json.loads(done.stdout)["scenarios"]
    assert [(each["fall"], each["depth"]) for each in (low, high)] == [(0.05, 0.1), (0.2, 0.1)]
    assert [round(each["tapes"][0]["fall"], 3) for each in (low, high)] == [0.05, 0.087]
    assert low["conflicts"] == []
    assert "leg.drop" in high["conflicts"][0]
    assert "Conflict in" in done.stderr
    shown = nautilus("data", "scenario", small, "--seeds", "1", "--peak", "20:40:2", "-q")
    assert [line.split()[0] for line in shown.stdout.splitlines()[1:]] == ["PEAK", *["20"] * 7, *["40"] * 7]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--seeds", "0"], "not in the range"),
        (["--seeds", "1001"], "not in the range"),
        (["--seeds", "600", "--fall", "0.01:0.05:2"], "1,200 tapes"),
        (["--fall", "0.05"], "add --seeds"),
        (["--seeds", "2", "--fall", "0.01:0.05"], "neither A nor A:B:N"),
        (["--seeds", "2", "--fall", "x"], "neither A nor A:B:N"),
        (["--seeds", "2", "--peak", "1:2:101"], "neither A nor A:B:N"),
        (["--seeds", "2", "--fall", "1.5"], "leg.drop"),
        (["--seeds", "2", "--depth", "nan"], "book.depth_floor"),
    ],
)
def test_what_cannot_be_is_refused(nautilus: Type, words: list[str], told: str) -> None:
    done = nautilus("data", "scenario", "flash-crash-2010", *words)
    assert (done.exit_code, done.stdout) == (ExitCode.USAGE, "")
    assert told in done.stderr


def test_a_what_if_rulebook_halts_every_tape(nautilus: Type, small: str) -> None:
    done = nautilus("data", "scenario", small, "--rules", "2013-04-08", "--seeds", "1", "-q")
    assert "by the rules of 2013-04-08" in done.stdout
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("halts"))
    assert line.split() == ["halts", "1", "0", "1", "1"]


def test_without_a_name_there_are_no_seeds(nautilus: Type) -> None:
    assert nautilus("data", "scenario", "--seeds", "2").exit_code == ExitCode.USAGE


def test_values() -> None:
    assert values("", "--fall") == []
    assert values("0.5", "--fall") == [0.5]
    assert values("1:2:3", "--fall") == [1.0, 1.5, 2.0]


def quiet(*_: object) -> None:
    """No progress."""


def test_a_mistake_of_the_child_is_told_in_its_own_words() -> None:
    wrong = replace(SMALL, overlays=(Overlay("crossed", SMALL.window.start, SMALL.window.end, symbol="NOPE"),))
    with pytest.raises(DataError, match="NOPE"):
        list(ensembles.members([wrong], [1], quiet))


def test_a_child_that_dies_or_says_nothing_is_told_and_killed() -> None:
    dead = (sys.executable, "-c", "import sys; sys.exit('boom')")
    with pytest.raises(DataError, match="ended with 1") as caught:
        list(ensembles.members([SMALL], [1], quiet, command=dead))
    assert "boom" in caught.value.why
    mute = (sys.executable, "-c", "import time; time.sleep(600)")
    with pytest.raises(DataError, match=r"No tape was made in 0\.5 s"):
        list(ensembles.members([SMALL], [1], quiet, 0.5, mute))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_and_its_child(home: Path, number: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "nautilus_cli", "data", "scenario", "flash-crash-2010", "--seeds", "1000"]
    env = os.environ | {"NAUTILUS_HOME": str(home)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as own:
        assert own.stderr is not None
        assert "1/1000" in own.stderr.readline()
        (child,) = psutil.Process(own.pid).children()
        own.send_signal(number)
        out, err = own.communicate(timeout=30)
    assert (own.returncode, out, "Traceback" in err) == (code, "", False)
    deadline = time.monotonic() + 10
    while child.is_running() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not child.is_running()


def test_an_interrupted_child_is_killed_wherever_it_is(tmp_path: Path) -> None:
    made = ensembles.Made(SMALL.name, ensembles.Figures(1, "ab", 1, 0, 0.1, 1.0, 1.0, None, 1.0))
    line, ended = msgspec.json.encode(made).decode(), tmp_path / "ended"
    code = f"import pathlib, time; print({line!r}, flush=True); time.sleep(5); pathlib.Path({str(ended)!r}).touch()"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(ensembles.members([SMALL], [1, 2], interrupted, command=(sys.executable, "-c", code)))
    assert not ended.exists()
