"""The commands of `nautilus report`: runs of missions, always from their records."""

import enum
from typing import Annotated, Literal

import msgspec
import typer

from nautilus_cli import flags, run_views
from nautilus_cli.commands import report_compare
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.runs_found import RUNS, find
from nautilus_cli.words import count
from reports import render_json, runs, signature, verify
from reports.verify import Mismatch

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Run = Annotated[
    str | None, typer.Argument(metavar="RUN", help="A run's folder or its id; the newest under --runs when left out.")
]
Full = Annotated[bool, typer.Option("--full", help="The whole report, in Markdown.")]
Plots = Annotated[bool, typer.Option("--plots/--no-plots", help="Draw the plots as well.")]
Redraw = Annotated[bool, typer.Option("--redraw", help="Draw every picture again as well and compare (seconds).")]


class Format(enum.StrEnum):
    """A report's documents."""

    JSON = "json"
    MD = "md"
    HTML = "html"
    RUNBOOKS = "runbooks"
    JUNIT = "junit"
    OPENMETRICS = "openmetrics"


Formats = Annotated[list[Format] | None, typer.Option("--format", help="Which; left out: json, md, html, runbooks.")]


class RunEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the list.  `verdict` None: it was never rendered."""

    run_id: str
    folder: str
    mission: str
    at: str
    sealed: bool
    verdict: str | None


class RunList(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.runs/1` document, oldest first."""

    schema: str = "nautilus.runs/1"
    root: str
    runs: tuple[RunEntry, ...]


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.render/1` document."""

    schema: str = "nautilus.render/1"
    folder: str
    files: tuple[str, ...]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.verify/1` document.  `figures`: how many were recomputed."""

    schema: str = "nautilus.verify/1"
    folder: str
    ok: bool
    status: Literal["ok", "mismatch", "interrupted"]
    figures: int
    mismatches: tuple[Mismatch, ...]
    signature: signature.State


@app.command(name="list")
def list_(root: flags.Runs = RUNS, as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """List the runs, oldest first."""
    console = Console(as_json, quiet)
    found = runs.list_runs(root)
    if as_json:
        entries = tuple(
            RunEntry(
                run_id=run.run_id,
                folder=str(run.folder.absolute()),
                mission=run.mission,
                at=run.at,
                sealed=run.sealed,
                verdict=run.verdict,
            )
            for run in found
        )
        console.document(RunList(root=str(root.absolute()), runs=entries))
        return
    if found:
        console.show(run_views.runs_table(found))
    console.say(f"{count(len(found), 'run')} in {root.absolute()}.")
    console.say(f"Next: nautilus report show {found[-1].run_id}" if found else "Next: nautilus stress flash-crash")


@app.command()
def show(
    run: Run = None,
    full: Full = False,
    root: flags.Runs = RUNS,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Show a run's verdict and criteria, or the whole report, made anew from the records."""
    console = Console(as_json, quiet)
    folder = find(run, root)
    report = runs.load(folder)
    document = render_json.run_document(report)
    document["folder"] = str(folder)
    if as_json:
        console.document(document)
        return
    if full:
        console.show(runs.documents(report, runs.plot_names(folder))[runs.REPORT_MD].decode().rstrip("\n"))
        return
    console.show(report.headline, "", run_views.criteria_table(document["criteria"]))
    for item in report.disagreements:
        console.say(f"The records disagree: {item.words}")
    console.say(f"Report: {folder / runs.REPORT_MD}\nNext: nautilus report verify {folder}")


@app.command()
def render(
    run: Run = None,
    formats: Formats = None,
    plots: Plots = True,
    root: flags.Runs = RUNS,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Write a run's documents anew from its records."""
    console = Console(as_json, quiet)
    folder = find(run, root)
    console.say(f"Rendering {folder.name} ...")
    files = tuple(str(path) for path in runs.render(folder, formats or runs.USUAL, plots))
    if as_json:
        console.document(Rendered(folder=str(folder), files=files))
    else:
        console.show(*files)


@app.command(name="verify")
def verify_(
    run: Run = None,
    root: flags.Runs = RUNS,
    redraw: Redraw = False,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Recompute every figure from the records; ends 1 when a report says something else."""
    console = Console(as_json, quiet)
    folder = find(run, root)
    console.say(f"Verifying {folder} ...")
    checked = verify.verify(folder, signature.key_of(), redraw=redraw)
    if as_json:
        console.document(
            Verified(
                folder=str(folder),
                ok=checked.ok,
                status=checked.status,
                figures=checked.figures,
                mismatches=checked.mismatches,
                signature=checked.signature,
            )
        )
    else:
        console.show(run_views.verification_words(checked))
        if checked.mismatches:
            console.show(run_views.mismatch_table(checked))
    if not checked.ok:
        console.say("Next: nautilus report show --full, and compare with the records in that folder")
    raise typer.Exit(ExitCode.OK if checked.ok else ExitCode.FAILED)


app.command()(report_compare.compare)
app.command()(report_compare.trend)
