"""Two streams, two audiences."""

import io
import itertools
import json
import sys
from collections.abc import Callable

import msgspec
import pytest

from nautilus_cli.console import Console, Failure
from nautilus_cli.table import Cell, Column, Table, Tone


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


class Thing(msgspec.Struct):
    schema: str = "nautilus.thing/1"


FAILURE = Failure(code=1, what="It failed.", why="Because.", next="nautilus doctor")


def terminals(monkeypatch: pytest.MonkeyPatch) -> tuple[Terminal, Terminal]:
    """Both streams, from here on (a fixture's would be replaced by pytest's own before the test runs)."""
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    return out, err


def test_data_and_words(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.show("data")
    console.say("words")
    assert capsys.readouterr() == ("data\n", "words\n")


def test_quiet_says_nothing_but_errors(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True)
    console.say("words")
    with console.meter("Waiting") as meter:
        meter.update("far", 1, 2)
    assert capsys.readouterr() == ("", "")
    console.fail(FAILURE)
    assert capsys.readouterr() == ("", "Error: It failed.\n  Why:  Because.\n  Next: nautilus doctor\n")


def test_a_failure_is_a_document_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    Console(as_json=True).fail(FAILURE)
    out, err = capsys.readouterr()
    said = {"what": "It failed.", "why": "Because.", "next": "nautilus doctor"}
    assert json.loads(out) == {"schema": "nautilus.error/1", "code": 1, **said}
    assert err.startswith("Error: It failed.")


def test_documents_and_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Console().document(Thing())
    assert capsys.readouterr().out == '{\n  "schema": "nautilus.thing/1"\n}\n'
    Console().line(Thing())
    assert capsys.readouterr().out == '{"schema":"nautilus.thing/1"}\n'


@pytest.mark.parametrize(
    ("env", "colour"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)]
)
def test_colour(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], colour: bool) -> None:
    out, err = terminals(monkeypatch)
    console = Console(env=env)
    console.show(Table((Column("state"),), [(Cell("failed", Tone.BAD),)]))
    console.fail(FAILURE)
    assert ("\x1b[" in out.getvalue()) is colour and ("\x1b[" in err.getvalue()) is colour


@pytest.mark.parametrize(("env", "moves"), [({"TERM": "xterm"}, True), ({"NO_COLOR": "1"}, False)])
def test_a_meter_moves_only_in_a_terminal(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], moves: bool) -> None:
    out, err = terminals(monkeypatch)
    console = Console(env=env)
    with console.meter("Waiting") as meter:
        meter.update("boot: one", 1, 2, "1/2")
        console.say("a word [between]")
        meter.update("boot: two", 2, 2, "2/2")
    shown = err.getvalue()
    assert "a word [between]" in shown
    assert ("\x1b[" in shown) is moves
    if not moves:
        assert shown == "1/2  boot: one\na word [between]\n", "one line as long as the matter is the same"
    assert out.getvalue() == ""


def ticking() -> Callable[[], int]:
    """Numbers, and Ctrl-C instead of the fourth."""
    ticks = itertools.count()

    def look() -> int:
        tick = next(ticks)
        if tick == 3:
            raise KeyboardInterrupt
        return tick

    return look


def test_watch_shows_again_and_again_until_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    Console().watch(ticking(), lambda tick: (f"look {tick}",), 0.0, False)
    assert capsys.readouterr().out == "look 0\n\nlook 1\n\nlook 2\n\n"
    Console().watch(ticking(), lambda tick: (f"look {tick}",), 0.0, True)
    assert capsys.readouterr().out == "0\n1\n2\n"


def test_watch_moves_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr("sys.stdout", out)
    Console(env={"TERM": "xterm"}).watch(ticking(), lambda tick: (f"look {tick}",), 0.0, False)
    shown = out.getvalue()
    assert "look 2" in shown and "\x1b[2K" in shown, "lines are written over"


def test_what_would_steer_a_terminal_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    strange = "\x1b[31mred\x1b[0m\x07 \x1b]0;title\tb\x9b2J"
    assert Console().printable(strange) == strange, "a file gets what was written"
    monkeypatch.setattr("sys.stdout", Terminal())
    assert Console().printable(strange) == "red ]0;title\tb2J"
