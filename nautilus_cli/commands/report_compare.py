"""`nautilus report compare` and `nautilus report trend`: runs against each other."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from nautilus_cli import compare_views, flags
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.runs_found import RUNS, find
from nautilus_cli.words import count
from reports import compare as comparing
from reports import gate as gates
from reports import trend as trends
from reports.gate import Checked

Which = Annotated[str, typer.Argument(metavar="RUN", help="A run's folder or its id.")]
Gates = Annotated[
    list[str] | None,
    typer.Option("--fail-on", metavar="GATE", help="End 5 on such a change, for example 'load.*.all.p99_ms>10%'."),
]
Force = Annotated[bool, typer.Option("--force", help="Compare even what should not be compared.")]
Everything = Annotated[bool, typer.Option("--all", help="Every figure, not only what changed and what was tested.")]
Names = Annotated[
    list[str] | None, typer.Option("--figure", metavar="ID", help="A figure's id or a pattern; may be given again.")
]
Mission = Annotated[str | None, typer.Option("--mission", metavar="NAME", help="Runs of this mission only.")]
Last = Annotated[int, typer.Option("--last", min=2, max=500, metavar="N", help="The newest N runs.")]


class ChangeJson(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both runs.  `low` and `high`: 95 % interval of `ratio`; `p_value`: adjusted (Holm)."""

    id: str
    unit: str
    old: float | None
    new: float | None
    change: float | None
    finding: str
    ratio: float | None
    low: float | None
    high: float | None
    p_value: float | None


class GateJson(msgspec.Struct, frozen=True, kw_only=True):
    """One gate on one figure."""

    gate: str
    figure: str
    outcome: str
    why: str


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.compare/1` document."""

    schema: str = "nautilus.compare/1"
    old: str
    new: str
    obstacles: tuple[str, ...]
    changes: tuple[ChangeJson, ...]
    gates: tuple[GateJson, ...]


class SeriesJson(msgspec.Struct, frozen=True, kw_only=True):
    """One figure over runs.  `score`: modified z-score of the last run against those before it."""

    id: str
    unit: str
    runs: tuple[str, ...]
    values: tuple[float | None, ...]
    score: float | None
    unusual: bool


class Trended(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.trend/1` document."""

    schema: str = "nautilus.trend/1"
    root: str
    series: tuple[SeriesJson, ...]
    left_out: dict[str, str]


def compare(  # noqa: PLR0913, PLR0917 - one parameter an option
    old: Which,
    new: Which,
    fail_on: Gates = None,
    force: Force = False,
    everything: Everything = False,
    root: flags.Runs = RUNS,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Compare two runs from their records; ends 5 when a --fail-on is hit, 6 when it cannot be decided."""
    console = Console(as_json, quiet)
    wanted = [gates.parse(text) for text in fail_on or ()]
    console.say("Reading both runs ...")
    found = comparing.compare(find(old, root), find(new, root), force=force)
    checked = [item for gate in wanted for item in gates.check(gate, found)]
    if as_json:
        console.document(_document(found, checked))
    else:
        console.show(*compare_views.comparison(found, everything=everything))
        if checked:
            console.show("", compare_views.gates_table(checked))
    outcomes = {item.outcome for item in checked}
    if "failed" in outcomes:
        raise typer.Exit(ExitCode.MISSED)
    if "unknown" in outcomes:
        raise typer.Exit(ExitCode.UNDECIDED)


def trend(
    figures: Names = None,
    mission: Mission = None,
    last: Last = 20,
    root: flags.Runs = RUNS,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Show how figures moved over the runs of one mission, plan and machine."""
    console = Console(as_json, quiet)
    console.say("Reading the runs ...")
    found = trends.trend(root, figures or trends.DEFAULT, mission=mission, last=last)
    if as_json:
        console.document(_trend_document(found, root))
        return
    console.show(compare_views.trend_table(found))
    for name, why in found.left_out:
        console.say(f"Left out: {name}, {why}")
    console.say(f"{count(len(found.series[0].points) if found.series else 0, 'run')} in {root.absolute()}.")


def _document(found: comparing.Comparison, checked: list[Checked]) -> Compared:
    changes = tuple(
        ChangeJson(
            id=item.id,
            unit=item.unit,
            old=item.old,
            new=item.new,
            change=item.change,
            finding=item.finding,
            ratio=item.shift.ratio if item.shift else None,
            low=item.shift.low if item.shift else None,
            high=item.shift.high if item.shift else None,
            p_value=item.p_value,
        )
        for item in found.changes
    )
    judged = tuple(
        GateJson(gate=item.gate.text, figure=item.change.id, outcome=item.outcome, why=item.why) for item in checked
    )
    return Compared(old=found.old.name, new=found.new.name, obstacles=found.obstacles, changes=changes, gates=judged)


def _trend_document(found: trends.Trend, root: Path) -> Trended:
    series = tuple(
        SeriesJson(
            id=item.id,
            unit=item.unit,
            runs=tuple(point.run_id for point in item.points),
            values=tuple(point.value for point in item.points),
            score=item.score,
            unusual=item.unusual,
        )
        for item in found.series
    )
    return Trended(root=str(root.absolute()), series=series, left_out=dict(found.left_out))
