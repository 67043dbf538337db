"""Every document of a run and of `nautilus report` keeps its published schema, its field order, and holds no NaN."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from nautilus_cli.commands.report_runs import app
from reports import runs, seal
from reports.errors import ReportError
from reports.render_json import CriterionJson, FigureJson, ResultsJson, RunJson, dump, run_document
from stress import mission
from stress.options import Options
from stress.plan import plan
from tests.reports import write_golden
from tests.reports.conftest import build, finish

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
RESULTS = "comprehensive_stress_test_results_20260304_100000.json"
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "null": (type(None),),
    "array": (list,), "object": (dict,),
}  # fmt: skip
FORMATS = {"date": dt.date.fromisoformat, "time": dt.time.fromisoformat}
SAID_ONLY = {"title", "description", "default", "$schema", "$defs"}
Json = Any  # a parsed document


def faults(schema: Json, root: Json, value: Json, where: str = "$") -> Iterator[str]:  # noqa: PLR0912 - one branch a keyword
    """Where a value breaks a schema, of the keywords that ours use; an unknown keyword is an error of this test."""
    for keyword, rule in schema.items():
        match keyword:
            case "$ref":
                yield from faults(root["$defs"][rule.rpartition("/")[2]], root, value, where)
            case "anyOf":
                if all(any(True for _ in faults(option, root, value, where)) for option in rule):
                    yield f"{where}: {value!r:.60} is none of its kinds"
            case "type":
                kinds = TYPES[rule]
                if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                    yield f"{where}: {value!r:.60} is no {rule}"
            case "format":
                try:
                    FORMATS[rule](value)
                except ValueError:
                    yield f"{where}: {value!r:.60} is no {rule}"
            case "enum" | "const":
                if value not in (rule if keyword == "enum" else [rule]):
                    yield f"{where}: {value!r:.60} is not {rule}"
            case "properties":
                known = value if isinstance(value, dict) else {}
                yield from (
                    f for key in known.keys() & rule for f in faults(rule[key], root, known[key], f"{where}.{key}")
                )
            case "required":
                yield from (f"{where}: lacks {key}" for key in rule if isinstance(value, dict) and key not in value)
            case "additionalProperties":
                others = value.keys() - schema.get("properties", {}).keys() if isinstance(value, dict) else set()
                if rule is False:
                    yield from (f"{where}: {key} is not of it" for key in others)
                else:
                    yield from (f for key in others for f in faults(rule, root, value[key], f"{where}.{key}"))
            case "items":
                for place, item in enumerate(value if isinstance(value, list) else ()):
                    yield from faults(rule, root, item, f"{where}[{place}]")
            case _:
                assert keyword in SAID_ONLY, f"{keyword} is not known here"


def broken(name: str, document: Json) -> list[str]:
    schema = json.loads((SCHEMAS / f"{name}.json").read_bytes())
    return list(faults(schema, schema, document))


def told(*arguments: str) -> Json:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    return json.loads(result.stdout)


def test_the_files_of_a_run_keep_their_schemas(run_folder: Path) -> None:
    for name, file in (("run", runs.RESULTS), ("results", RESULTS), ("manifest", seal.MANIFEST)):
        assert broken(name, json.loads((run_folder / file).read_bytes())) == []


@pytest.mark.parametrize("file", [runs.RESULTS, RESULTS, seal.MANIFEST])
def test_the_check_itself_finds_what_is_missing_wrong_or_of_another_version(run_folder: Path, file: str) -> None:
    name = {runs.RESULTS: "run", RESULTS: "results"}.get(file, "manifest")
    document = json.loads((run_folder / file).read_bytes())
    assert broken(name, {**document, "schema": "nautilus.other/1"})
    for key in document.keys() - {"schema"}:
        assert broken(name, {other: value for other, value in document.items() if other != key})
        assert broken(name, {**document, key: 3.5})


def test_what_the_commands_print_keeps_its_schema(run_folder: Path) -> None:
    other = finish(build(run_folder.parent / "20260305_100000_flash-crash"))
    root = ["--runs", str(run_folder.parent)]
    assert broken("verify", told("verify", str(run_folder))) == []
    assert broken("runs", told("list", *root)) == []
    assert broken("run", told("show", str(run_folder))) == []
    compared = told("compare", str(run_folder), str(other), "--all", "--force", "--fail-on", "bus.lost>0")
    assert broken("compare", compared) == []
    assert compared["changes"]
    trended = told("trend", *root)
    assert broken("trend", trended) == []
    assert trended["series"]
    (run_folder / runs.RESULTS).write_text("{}")
    failed = told("verify", str(run_folder))
    assert failed["mismatches"]
    assert broken("verify", failed) == []


def test_a_plan_keeps_its_schema() -> None:
    for name in mission.names():
        found = plan(mission.load(name), Options())
        assert broken("plan", json.loads(msgspec.json.encode(found))) == []


def test_fields_stand_in_their_published_order(run_folder: Path) -> None:
    results = json.loads((run_folder / RESULTS).read_bytes())
    assert list(results) == list(ResultsJson.__annotations__)
    assert list(results["run"]) == list(RunJson.__annotations__)
    assert all(list(item) == list(FigureJson.__annotations__) for item in results["figures"])
    assert all(list(item) == list(CriterionJson.__annotations__) for item in results["run"]["criteria"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_never_becomes_a_document(run_folder: Path, value: float) -> None:
    for file in (runs.RESULTS, RESULTS, seal.MANIFEST):
        assert not {"NaN", "Infinity", "-Infinity"} & set((run_folder / file).read_text().replace(",", " ").split())
    document = run_document(runs.load(run_folder))
    document["criteria"][0]["measured"] = value
    with pytest.raises(ReportError, match="finite"):
        dump(document)


@pytest.mark.parametrize("name", sorted(write_golden.documents()))
def test_each_document_is_the_golden_one(name: str) -> None:
    """A meant change? python -m tests.reports.write_golden, and say so in the changelog."""
    assert write_golden.documents()[name] == (write_golden.FOLDER / name).read_bytes()
