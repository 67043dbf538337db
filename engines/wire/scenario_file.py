"""Scenarios as TOML files: those that ship, and a user's own."""

import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from engines.wire.errors import UnknownName, UsageError
from engines.wire.scenario import Scenario
from engines.wire.scenario_rules import problems

FOLDER = Path(__file__).resolve().parent / "scenarios"


class ScenarioErrors(UsageError):
    """Every mistake found in a scenario, at once."""

    def __init__(self, where: str, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = len(self.mistakes)
        lines = "\n".join(f"  {mistake}" for mistake in self.mistakes)
        super().__init__(f"{count} mistake{'s' if count != 1 else ''} in {where}:\n{lines}\n")


def names() -> tuple[str, ...]:
    """The scenarios that ship."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@lru_cache(maxsize=1)
def aliases() -> Mapping[str, str]:
    """Other names of the scenarios that ship, such as their dates, and what each stands for."""
    return {
        alias: path.stem
        for path in sorted(FOLDER.glob("*.toml"))
        for alias in tomllib.loads(path.read_text(encoding="utf-8")).get("aliases", ())
    }


def load(name: str) -> Scenario:
    """The shipped scenario ``name`` (or one of its aliases), or the one in the TOML file at that path.

    Raises ``UnknownName`` when there is neither, ``ScenarioErrors`` with all mistakes of the file.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file() and name in aliases():
        path = FOLDER / f"{aliases()[name]}.toml"
    if not path.is_file():
        raise UnknownName("scenario", name, (*names(), *aliases()))
    return parse(path.read_text(encoding="utf-8"), path.name)


def parse(text: str, where: str = "the scenario") -> Scenario:
    """A scenario from TOML text; raises ``ScenarioErrors`` with all mistakes: of form, or else of content."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioErrors(where, [f"not TOML: {error}"]) from error
    mistakes: list[str] = []
    scenario = _read(Scenario, table, "", mistakes)
    if scenario is None:
        raise ScenarioErrors(where, mistakes)
    found = problems(scenario)
    if found:
        raise ScenarioErrors(where, found)
    return scenario


T = typing.TypeVar("T")


def _read(kind: type[T], table: object, where: str, mistakes: list[str]) -> T | None:
    """A dataclass from a TOML table, or None with the reasons added to ``mistakes``."""
    if not isinstance(table, dict):
        mistakes.append(f"{where}: expected a table")
        return None
    before = len(mistakes)
    hints = typing.get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # only called with dataclasses
    prefix = f"{where}." if where else ""
    mistakes.extend(f"{prefix}{key}: unknown key" for key in table if key not in known)
    values: dict[str, object] = {}
    for name, field in known.items():
        if name in table:
            values[name] = _value(hints[name], table[name], prefix + name, mistakes)
        elif field.default is MISSING:
            mistakes.append(f"{prefix}{name}: missing")
    return kind(**values) if len(mistakes) == before else None


def _value(hint: object, value: object, where: str, mistakes: list[str]) -> object:
    """One value of a table, by the type of its field."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is types.UnionType:  # X | None: a value that is there is an X
        hint = arguments[0]
    if typing.get_origin(hint) is tuple and is_dataclass(arguments[0]) and isinstance(value, list):
        kind = typing.cast(type, arguments[0])
        return tuple(_read(kind, item, f"{where}[{index}]", mistakes) for index, item in enumerate(value))
    if isinstance(hint, type) and is_dataclass(hint):
        return _read(hint, value, where, mistakes)
    try:
        return msgspec.convert(value, typing.cast(type, hint))
    except msgspec.ValidationError as error:
        mistakes.append(f"{where}: {error}")
        return None
