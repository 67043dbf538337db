"""docs/faults.md is whole: every kind of fault, every parameter of it with its range and default."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from stress.faults.kinds import KINDS
from stress.faults.parameter import Parameter
from stress.specs.strike import everyone
from tests.contracts.test_documents_missions import number, table

TEXT = (Path(__file__).parents[2] / "docs" / "faults.md").read_text("utf-8")
NAMES = ("bus", "control", "topic")  # parameters that are no numbers
WRONG = "wrong"


class Taken(NamedTuple):
    """One parameter of a kind, as the table tells it."""

    kind: str
    name: str
    allowed: str
    default: str


def within(value: object) -> Iterator[Parameter]:
    """The parameters in a module's value, however deep in tuples and tables."""
    if isinstance(value, Parameter):
        yield value
    elif isinstance(value, tuple | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from within(each)


def declared() -> set[Parameter]:
    """Every parameter that a module of faults declares."""
    modules = [each for name, each in sys.modules.items() if name.startswith("stress.faults.")]
    return {found for module in modules for found in _of(module)}


def _of(module: ModuleType) -> Iterator[Parameter]:
    for value in vars(module).values():
        yield from within(value)


def complaints(kind: str, name: str) -> list[str]:
    """What a kind says of a parameter with a value that it cannot have, at any target."""
    found = (words for target in everyone() for words in KINDS[kind].mistakes(target, {name: WRONG}))
    return [words for words in found if words.startswith(f"{name} = {WRONG!r}")]


def taken() -> Iterator[Taken]:
    """Each parameter that each kind takes."""
    for kind in KINDS:
        for parameter in declared():
            low, high = parameter.low, parameter.high
            bounds = f"{parameter.name} = {WRONG!r}: a number from {low:g} to {high:g} ({parameter.unit})"
            if bounds in complaints(kind, parameter.name):
                default = "required" if parameter.default is None else number(parameter.default)
                yield Taken(kind, parameter.name, f"{number(low)} to {number(high)}", default)
        for name in NAMES:
            if complaints(kind, name):
                yield Taken(kind, name, "", "")


def test_every_kind_is_told_in_each_table() -> None:
    for mark in ("kinds", "proofs"):
        assert [cells[0] for cells in table(TEXT, mark)] == list(KINDS)


def test_lasting_kinds_are_told_apart() -> None:
    lasting = {cells[0]: cells[1] for cells in table(TEXT, "kinds")}
    assert lasting == {name: "yes" if kind.lasting else "no" for name, kind in KINDS.items()}


def test_every_parameter_is_told_with_its_range_and_default() -> None:
    rows = {Taken(*cells[:4]) for cells in table(TEXT, "parameters")}
    wanted = set(taken())
    assert len(wanted) > 20
    assert {row for row in rows if row.name not in NAMES} == {each for each in wanted if each.name not in NAMES}
    assert {row[:2] for row in rows if row.name in NAMES} == {each[:2] for each in wanted if each.name in NAMES}
