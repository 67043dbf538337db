"""docs/supervision.md keeps its word: each test that it names exists, and each cell of ours names one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "supervision.md"
NAMED = re.compile(r"(test_\w+\.py)::(test_\w+)")
FILES = {path.name: path for path in (ROOT / "tests").rglob("test_*.py")}
ANCHORS = 12


class Row(NamedTuple):
    """One line of a table."""

    table: str
    cells: tuple[str, ...]

    @property
    def tests(self) -> list[tuple[str, str]]:
        """File and function of each test in the last cell."""
        return [(file, name) for file, name in NAMED.findall(self.cells[-1])]


def rows(text: str) -> Iterator[Row]:
    """The lines of the tables that a comment marks, without their heads."""
    table, place = "", 0
    for line in text.splitlines():
        if marked := re.fullmatch(r"<!-- (\w+) -->", line):
            table, place = marked[1], 0
        elif table and line.startswith("|"):
            place += 1
            if place > 2:
                yield Row(table, tuple(cell.strip() for cell in line.strip("|").split("|")))
        elif table and place:
            table = ""


def collected(path: Path) -> set[str]:
    """The tests of a file that pytest collects: functions of the module named test_*, and state machines' TestCases."""
    return {
        node.name
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


ROWS = list(rows(PAGE.read_text("utf-8")))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.table}: {row.cells[0]}")
def test_every_named_test_is_collected(row: Row) -> None:
    for file, name in row.tests:
        assert file in FILES, file
        assert name in collected(FILES[file]), f"{file} has no {name}"
    assert NAMED.sub("", row.cells[-1]).strip(" ,") == "", "tests and nothing else"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.table}: {row.cells[0]}")
def test_each_cell_of_ours_names_its_tests(row: Row) -> None:
    if row.table == "features":
        assert len(row.cells) == ANCHORS + 3 and set(row.cells[1:-2]) <= set("YPN?")
        assert row.cells[-2] == "Y" and row.tests
    elif row.table == "trading":
        assert row.cells[1] in ("Y", "N") and bool(row.tests) is (row.cells[1] == "Y"), "a no has nothing to show"
    else:
        assert row.cells[1] and row.tests


def test_the_tables_are_whole() -> None:
    found = [row.table for row in ROWS]
    assert (found.count("features"), found.count("trading")) == (17, 10) and found.count("trouble") >= 11
