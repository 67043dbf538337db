"""What holds for every command: help, names, error documents, cheap start."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata

import pytest
import typer
from typer.testing import Result

from nautilus_cli.app import Root, app

Type = Callable[..., Result]
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


def test_health_needs_no_heavy_module() -> None:
    script = "import sys, nautilus_cli.commands.health; print(*sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "engines.fleet.api" in out
    assert not set(out) & {"numpy", "duckdb", "rich", "psutil", "asyncio", "redis", "litestar"}
