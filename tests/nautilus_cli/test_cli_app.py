"""What holds for every command: help, names, error documents, cheap start."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
import typer
from typer.testing import Result

from nautilus_cli.app import Root, app
from nautilus_cli.exits import ExitCode

Type = Callable[..., Result]
SCRIPT = Path(sys.executable).with_name("nautilus")
HEAVY = ("numpy", "duckdb", "rich", "msgspec", "psutil", "matplotlib", "pandas", "numba", "subprocess", "asyncio")


def every_command() -> Iterator[tuple[str, ...]]:
    """The words of every command, groups included."""
    root = typer.main.get_command(app)
    context = root.make_context("nautilus", [])
    for section in Root.entries.values():
        for name in section:
            yield (name,)
            _, command, _ = root.resolve_command(context, [name])  # type: ignore[attr-defined]
            for inner in getattr(command, "commands", ()):
                yield name, inner


@pytest.mark.parametrize("words", [(), *every_command()], ids=" ".join)
def test_help(nautilus: Type, words: tuple[str, ...]) -> None:
    shown = nautilus(*words, "--help")
    assert shown.exit_code == 0 and shown.stderr == ""
    usage, _, text = shown.stdout.partition("\n\n")
    assert usage.startswith(f"Usage: nautilus {' '.join(words)}".strip())
    about, _, options = text.partition("\n\n")
    assert about.strip().endswith("."), "a sentence that says what it does"
    for line in options.splitlines():
        if line.lstrip().startswith("-"):
            assert len(line.split("  ")) > 1 or options.partition(line)[2].lstrip("\n").startswith("   "), line


def test_the_list_says_what_the_command_says(nautilus: Type) -> None:
    listed = nautilus("--help").stdout
    for section in Root.entries.values():
        for name, entry in section.items():
            assert entry.summary in listed
            assert entry.summary.rstrip(".") in " ".join(nautilus(name, "--help").stdout.split())


def test_alone_it_shows_its_help(nautilus: Type) -> None:
    alone = nautilus()
    assert alone.exit_code == 0 and alone.stdout == nautilus("--help").stdout


def test_version(nautilus: Type) -> None:
    assert nautilus("--version").stdout == f"nautilus {metadata.version('nautilus-ops')}\n"


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        (("helth",), "'health'"),
        (("stress", "flash-crahs"), "'flash-crash'"),
        (("report", "verfy"), "'verify'"),
        (("up", "--port-ofset", "1"), "--port-offset"),
        (("report", "render", "--format", "pdf"), "html"),
    ],
)
def test_a_slip_is_answered_with_the_nearest(nautilus: Type, typed: tuple[str, ...], near: str) -> None:
    answer = nautilus(*typed)
    assert answer.exit_code == 2 and answer.stdout == ""
    assert near in answer.stderr and "Next: nautilus" in answer.stderr and "--help" in answer.stderr


@pytest.mark.parametrize("typed", [("health", "--json"), ("status", "--json"), ("restart", "risk", "--json")])
def test_an_error_is_a_document_too(nautilus: Type, typed: tuple[str, ...]) -> None:
    answer = nautilus(*typed)
    assert answer.exit_code == 3
    document = json.loads(answer.stdout)
    assert document["schema"] == "nautilus.error/1" and document["code"] == 3
    assert document["next"] == "Start it: nautilus up"
    assert "No fleet is running." in answer.stderr


def test_a_line_that_cannot_be_parsed_is_a_document_too(nautilus: Type) -> None:
    answer = nautilus("up", "--timeout", "soon", "--json")
    assert answer.exit_code == 2 and json.loads(answer.stdout)["code"] == 2


def test_listing_the_commands_imports_none_of_them() -> None:
    """The cheap start, counted in modules: what `nautilus --help` imports beyond an empty Typer application."""
    script = "import sys, typer, typer.main; before = set(sys.modules); import nautilus_cli.app as a; import io;"
    script += "sys.stdout = io.StringIO(); typer.main.get_command(a.app).main(['--help'], standalone_mode=False);"
    script += "sys.stdout = sys.__stdout__; print(*sorted(set(sys.modules) - before))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "nautilus_cli.app" in out
    assert not [name for name in out if name.partition(".")[0] in HEAVY or name.startswith("nautilus_cli.commands")]


def complete(line: str, word: int) -> list[str]:
    """What bash would offer."""
    asked = {"_NAUTILUS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(word)}
    done = subprocess.run([SCRIPT], env=os.environ | asked, capture_output=True, text=True, check=False)
    return done.stdout.split()


def test_the_shell_completes_commands_options_and_engines() -> None:
    assert complete("nautilus wa", 1) == ["wait"]
    assert complete("nautilus report ver", 2) == ["verify"]
    assert complete("nautilus logs --si", 2) == ["--since"]
    assert complete("nautilus why ma", 2) == ["marketdata"]
    assert complete("nautilus logs bus-", 2) == ["bus-main", "bus-market"]
    assert complete("nautilus wait --for s", 3) == ["stopped"]


def test_completion_is_installed(tmp_path: Path) -> None:
    env = os.environ | {"HOME": str(tmp_path), "SHELL": "/bin/bash"}
    subprocess.run([SCRIPT, "--install-completion", "bash"], env=env, capture_output=True, check=True)
    shown = subprocess.run([SCRIPT, "--show-completion", "bash"], env=env, capture_output=True, text=True, check=True)
    (script,) = tmp_path.glob(".bash_completions/*")
    assert "complete_bash" in script.read_text() and "complete_bash" in shown.stdout


def coloured(*words: str, **env: str) -> bool:
    """Whether a command whose standard error is a terminal paints it."""
    ours, theirs = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    try:
        subprocess.run([SCRIPT, *words], env={**plain, "TERM": "xterm", **env}, stderr=theirs, check=False)
        return b"\x1b[" in os.read(ours, 65_536)
    finally:
        os.close(ours)
        os.close(theirs)


def test_colour_is_for_terminals_that_want_it(home: Path) -> None:
    assert coloured("status")
    assert not coloured("status", "--no-color") and not coloured("--no-color", "status")
    assert not coloured("status", NO_COLOR="1") and not coloured("status", TERM="dumb")
    assert coloured("status", NO_COLOR=""), "an empty NO_COLOR asks for nothing"


def test_what_follows_two_dashes_is_no_option(nautilus: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert nautilus("restart", "--", "--no-color").exit_code == 3 and os.environ["NO_COLOR"] == ""
    assert nautilus("status", "--no-color").exit_code == 3 and os.environ["NO_COLOR"] == "1"


def test_the_exit_codes_are_in_the_help(nautilus: Type) -> None:
    listed = nautilus("--help").stdout
    for code in ExitCode:
        assert f"    {code.value:<4} " in listed, code


def test_health_needs_no_heavy_module() -> None:
    script = "import sys, nautilus_cli.commands.health; print(*sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "engines.fleet.api" in out
    assert not set(out) & {"numpy", "duckdb", "rich", "psutil", "asyncio", "redis", "litestar"}
