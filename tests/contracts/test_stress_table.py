"""docs/stress.md keeps its word: each of the ten lines names modules, a command and tests that are there."""

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from engines.wire.manifest import discover

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "stress.md").read_text("utf-8")
NAMED = re.compile(r"(test_\w+\.py)::(test_\w+)")
QUOTED = re.compile(r"`([^`]+)`")
FILES = {path.name: path for path in (ROOT / "tests").rglob("test_*.py")}


class Row(NamedTuple):
    """One line of the table."""

    number: int
    what: str
    where: str
    command: str
    tests: str


def _rows() -> list[Row]:
    lines = TEXT.split("<!-- ten -->\n\n", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [Row(int(number), *rest) for number, *rest in cells]


ROWS = _rows()


def test_there_are_ten() -> None:
    assert [row.number for row in ROWS] == list(range(1, 11))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_its_modules_are_there(row: Row) -> None:
    modules = QUOTED.findall(row.where)
    assert modules and QUOTED.sub("", row.where).strip(" ,") == "", "modules and nothing else"
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_its_tests_are_collected(row: Row) -> None:
    named = NAMED.findall(row.tests)
    assert named and NAMED.sub("", row.tests).strip(" ,") == "", "tests and nothing else"
    for file, name in named:
        body = ast.parse(FILES[file].read_text("utf-8")).body
        found = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        found |= {target.id for node in body if isinstance(node, ast.Assign) for target in node.targets
                  if isinstance(target, ast.Name)}  # fmt: skip
        assert name in found, f"{file} has no {name}"


@pytest.mark.parametrize("command", sorted({row.command for row in ROWS}))
def test_its_command_is_one(command: str) -> None:
    (typed,) = QUOTED.findall(command)
    program, *words = shlex.split(typed)
    assert program == "nautilus"
    asked = [sys.executable, "-m", "nautilus_cli", *words, "--help"]
    assert subprocess.run(asked, cwd=ROOT, capture_output=True, check=False, timeout=60).returncode == 0


def test_risk_gives_way_last_and_who_watches_first() -> None:
    """What docs/stress.md says of `limits.nice`: who watches is nicer than who trades, and that nicer than risk."""
    nice = {manifest.name: manifest.limits.nice for manifest in discover()}
    others = [value for name, value in nice.items() if name != "risk"]
    assert nice["risk"] < min(others)
    trades = {"marketdata", "features", "strategy", "portfolio", "collateral", "vpin", "backend"}
    assert max(nice[name] for name in trades) < min(nice[name] for name in nice.keys() - trades - {"risk"})
