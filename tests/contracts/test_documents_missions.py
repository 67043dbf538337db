"""docs/missions.md is whole: its tables are the code's, and each mission in it loads without a mistake."""

import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec
import pytest
from msgspec import Meta

from engines.risk.limits import Code
from nautilus_cli.exits import of_verdict
from reports.criteria import Verdict
from reports.rules import DOCUMENTED, RULES
from reports.rules.rule import Rule
from reports.rules.thresholds import METRICS
from stress import abort, mission
from stress.specs import ROLES, load
from stress.specs.base import Spec
from stress.specs.start import Start
from stress.specs.storm import Laid
from stress.specs.strike import Strike

PAGE = Path(__file__).parents[2] / "docs" / "missions.md"
TEXT = PAGE.read_text("utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
COMMON = {field.name for field in msgspec.structs.fields(Spec)}
PARTS: dict[str, type[msgspec.Struct]] = {
    "mission": mission.Mission,
    "criteria": mission.Criterion,
    "start": Start,
    "expect": mission.Expected,
    "expect.halts": mission.ExpectedHalt,
    "faults": Strike,
    "overlays": Laid,
    **{f"shape {kind.__struct_config__.tag}": kind for kind in load.Shape.__args__},
}


class Field(NamedTuple):
    """One line of the tables of fields: whose, its name, what it may be, and its default."""

    owner: str
    name: str
    allowed: str
    default: str


def table(text: str, mark: str) -> list[tuple[str, ...]]:
    """The cells of the table below a comment, without its head; backticks and escapes of bars removed."""
    lines = text.split(f"<!-- {mark} -->\n", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    bare = (line.strip().strip("|").replace("\\|", "\0") for line in lines)
    return [tuple(cell.replace("\0", "|").replace("`", "").strip() for cell in line.split("|")) for line in bare]


def number(value: float) -> str:
    """As the documents write it."""
    return f"{value:.10g}"


def bounds(meta: Meta) -> str:
    """The range of a number."""
    low = f"above {number(float(meta.gt))}" if meta.gt is not None else number(float(meta.ge or 0))
    if meta.le is None:
        return f"{low} or more"
    return f"{low} to {number(float(meta.le))}"


def allowed(kind: Any) -> str:
    """What a field may be, where its type says so; empty for what is a table, a list or text."""
    if get_origin(kind) is Annotated:
        return bounds(get_args(kind)[1])
    if get_origin(kind) is Literal:
        return ", ".join(map(str, get_args(kind)))
    if kind is bool:
        return "true, false"
    if get_origin(kind) in (Union, types.UnionType):
        inner = [each for each in get_args(kind) if each is not type(None)]
        return allowed(inner[0]) if len(inner) == 1 else ""
    if get_origin(kind) in (tuple, dict):
        return allowed(get_args(kind)[1 if get_origin(kind) is dict else 0])
    return ""


def told(value: object) -> str:
    """A default as the documents write it."""
    if value is None or value in ((), {}, "") or isinstance(value, msgspec.Struct):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return number(value) if isinstance(value, (int, float)) else str(value)


def fields(owner: str, kind: type[msgspec.Struct], without: set[str]) -> Iterator[Field]:
    """The fields of a type."""
    for field in msgspec.structs.fields(kind):
        if field.name in without:
            continue
        default = field.default if field.default is not msgspec.NODEFAULT else None
        if field.default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        yield Field(owner, field.name, allowed(field.type), "required" if field.required else told(default))


def in_document(mark: str) -> list[Field]:
    """The same, as a table tells it; where the type says nothing, any words will do."""
    return [Field(*cells[:4]) for cells in table(TEXT, mark)]


def agree(found: list[Field], wanted: list[Field]) -> None:
    """Same fields and defaults; and the same ranges, where the type has one."""
    assert {(f.owner, f.name, f.default) for f in found} == {(f.owner, f.name, f.default) for f in wanted}
    ranges = {(f.owner, f.name): f.allowed for f in found}
    assert [f for f in wanted if f.allowed and ranges[f.owner, f.name] != f.allowed] == []


def target(rule: Rule) -> str:
    """A criterion's own target in words."""
    return "" if rule.target is None else f"{rule.compare} {number(rule.target)} {rule.unit}"


def test_every_field_of_every_role_is_told() -> None:
    agree(in_document("roles"), [field for name, kind in ROLES.items() for field in fields(name, kind, COMMON)])


def test_every_field_that_phases_share_is_told() -> None:
    agree(in_document("phases"), list(fields("any", Spec, set())))


def test_every_field_of_a_mission_is_told() -> None:
    agree(in_document("parts"), [field for name, kind in PARTS.items() for field in fields(name, kind, set())])


def test_every_criterion_is_told_with_its_title_and_target() -> None:
    rows = {cells[0]: cells for cells in table(TEXT, "criteria")}
    assert rows.keys() == RULES.keys() and rows.keys() >= DOCUMENTED.keys()
    assert {name: rows[name][1] for name in RULES} == {name: rule.title for name, rule in RULES.items()}
    assert [name for name, rule in RULES.items() if rule.target is not None and rows[name][2] != target(rule)] == []
    assert [name for name, rule in RULES.items() if rule.rig != rows[name][3].startswith("rig")] == []


def test_every_metric_of_a_threshold_is_told() -> None:
    rows = {cells[0]: cells[1:] for cells in table(TEXT, "metrics")}
    yes = {True: "yes", False: "no"}
    wanted = {
        name: (metric.unit or "share", metric.group, yes[metric.scoped], yes[bool(metric.worst)])
        for name, metric in METRICS.items()
    }
    assert {name: cells[:4] for name, cells in rows.items()} == wanted


def test_every_metric_of_an_abort_condition_is_told() -> None:
    rows = {cells[0]: cells[1] for cells in table(TEXT, "aborts")}
    assert rows == {name: watched.group for name, watched in abort.METRICS.items()}


def test_every_role_says_what_it_measures() -> None:
    rows = {cells[0]: cells[1] for cells in table(TEXT, "measures")}
    assert rows == {name: ", ".join(kind.MEASURES) or "nothing" for name, kind in ROLES.items()}


def test_every_mission_is_told() -> None:
    assert {cells[0] for cells in table(TEXT, "missions")} == set(mission.names())


def test_every_code_of_a_refused_order_is_told() -> None:
    assert [code for code in get_args(Code) if f"`{code}`" not in TEXT] == []


def test_every_verdict_is_told_from_best_to_worst() -> None:
    assert [cells[0] for cells in table(TEXT, "verdicts")] == [verdict.label for verdict in Verdict]
    exits = {cells[0]: int(cells[2]) for cells in table(TEXT, "verdicts")}
    assert exits == {verdict.label: of_verdict(verdict.label) for verdict in Verdict}


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_each_example_is_a_mission(text: str) -> None:
    mission.parse(text)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 2
