"""`nautilus stress`: a command for each mission that comes with the product, and one for a mission's file."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags
from nautilus_cli.commands import stress_control
from nautilus_cli.console import Console
from nautilus_cli.mission_run import After, fly, without_targets
from nautilus_cli.table import Column, Table
from stress import mission as missions
from stress.mission import Mission
from stress.options import RUNS, Options

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Drive a fleet through market stress and record what happens.",
)

DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done, for how long, and stop there.")]
Quick = Annotated[bool, typer.Option("--quick", help="Shorter phases: a look, not a measurement to compare.")]
Full = Annotated[bool, typer.Option("--full", help="Longer phases, in real time where there is a tape: hours.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, metavar="N", help="Instead of the mission's own seed.")]
NoPlots = Annotated[bool, typer.Option("--no-plots", help="Draw no plots.")]
ExitZero = Annotated[
    bool,
    typer.Option("--exit-zero", help="End 0 once the run is sealed and its report verifies, whatever the verdict."),
]
Attach = Annotated[
    bool, typer.Option("--attach", help="Fly against your running fleet instead of a private one; it stays up.")
]
Notify = Annotated[
    str | None,
    typer.Option(
        "--notify", metavar="TARGET", help="Tell a URL or a command of a verdict below ACHIEVED: it gets the document."
    ),
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A mission's TOML file.")]
Command = Callable[..., None]


class MissionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One mission of the list."""

    name: str
    title: str
    summary: str
    seconds: float


class MissionList(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.missions/1` document."""

    schema: str = "nautilus.missions/1"
    missions: tuple[MissionEntry, ...]


@app.command(name="list")
def list_(as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """List the missions."""
    console = Console(as_json, quiet)
    found = tuple(_entry(missions.load(name)) for name in missions.names())
    if as_json:
        console.document(MissionList(missions=found))
        return
    columns = (Column("mission"), Column("about s", True), Column("what"))
    console.show(Table(columns, [(each.name, f"{each.seconds:.0f}", each.summary) for each in found]))
    console.say("Next: nautilus stress flash-crash --dry-run")


@app.command()
def run(  # noqa: PLR0913 - one parameter a flag: Typer reads the signature
    *,
    file: File,
    dry_run: DryRun = False,
    quick: Quick = False,
    full: Full = False,
    seed: Seed = None,
    runs: flags.Runs = RUNS,
    no_plots: NoPlots = False,
    attach: Attach = False,
    fleet: flags.Fleet = DEFAULT_FLEET,
    notify: Notify = None,
    exit_zero: ExitZero = False,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Fly the mission of a TOML file."""
    name = file if file.suffix == ".toml" else file.with_name(file.name + ".toml")
    options = _options(seed, _length(quick, full), runs, not no_plots, fleet if attach else None)
    _start(missions.load(str(name)), options, Console(as_json, quiet), dry_run, After(exit_zero, notify))


def _command(name: str) -> Command:
    """A shipped mission's own command."""

    def command(  # noqa: PLR0913 - one parameter a flag: Typer reads the signature
        *,
        dry_run: DryRun = False,
        quick: Quick = False,
        full: Full = False,
        seed: Seed = None,
        runs: flags.Runs = RUNS,
        no_plots: NoPlots = False,
        attach: Attach = False,
        fleet: flags.Fleet = DEFAULT_FLEET,
        notify: Notify = None,
        exit_zero: ExitZero = False,
        as_json: flags.Json = False,
        quiet: flags.Quiet = False,
    ) -> None:
        options = _options(seed, _length(quick, full), runs, not no_plots, fleet if attach else None)
        _start(missions.load(name), options, Console(as_json, quiet), dry_run, After(exit_zero, notify))

    return command


for _control in (stress_control.status, stress_control.stop, stress_control.heal):
    app.command()(_control)
for _name in missions.names():
    _title, _summary = missions.headline(_name)
    app.command(name=_name, help=f"{_title}.\n\n{_summary}")(_command(_name))


def _length(quick: bool, full: bool) -> str:
    if quick and full:
        raise typer.BadParameter("a mission is quick or full, not both", param_hint="--full")
    return "quick" if quick else "full" if full else ""


def _options(seed: int | None, length: str, runs: Path, plots: bool, attach: str | None) -> Options:
    argv = without_targets(sys.argv)
    quick, full = length == "quick", length == "full"
    return Options(seed=seed, quick=quick, full=full, runs=runs, plots=plots, argv=argv, attach=attach)


def _start(mission: Mission, options: Options, console: Console, dry_run: bool, after: After) -> None:
    if not dry_run:
        raise typer.Exit(fly(mission, options, console, after))
    from nautilus_cli.mission_views import plan_blocks  # here: `nautilus stress --help` plans nothing
    from stress.plan import plan

    found = plan(mission, options)
    if console.as_json:
        console.document(found)
    else:
        console.show(*plan_blocks(found))


def _entry(mission: Mission) -> MissionEntry:
    from stress.plan import plan

    return MissionEntry(
        name=mission.name,
        title=mission.title,
        summary=mission.summary,
        seconds=plan(mission, Options()).seconds,
    )
