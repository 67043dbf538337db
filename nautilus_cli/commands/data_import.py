"""`nautilus data import`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engines.data import importer
from engines.data.importer import Options, Plan
from engines.data.rows import Finding
from engines.wire.bundle_files import Adjustment, Kind
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.table import Column, Table, Tone
from nautilus_cli.words import count

app = typer.Typer(add_completion=False, rich_markup_mode=None)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A .csv, .parquet or LEAN .zip file.")]
Symbol = Annotated[str, typer.Option("--symbol", metavar="NAME", help="What the series is called from now on.")]
KindOption = Annotated[
    Kind | None, typer.Option("--kind", help="What it holds; found out from its columns if left out.")
]
ColumnName = Annotated[str, typer.Option("--column", metavar="NAME", help="The column of closes or values.")]
DateFormat = Annotated[str, typer.Option("--date-format", metavar="F", help="As for strptime: %d/%m/%Y.")]
Zone = Annotated[str, typer.Option("--zone", metavar="ZONE", help="Of times within the day; UTC if nothing says.")]
Adjusted = Annotated[Adjustment, typer.Option("--adjusted", help="What was done to the prices.")]
Units = Annotated[str, typer.Option("--units", help="For instance: US dollars per share.")]
Licence = Annotated[str, typer.Option("--licence", help="As its owner states it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and report every bad row; store nothing.")]
Replace = Annotated[bool, typer.Option("--replace", help="Take this file instead of an earlier import.")]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.import/1` document."""

    schema: str = "nautilus.import/1"
    file: str
    symbol: str
    kind: Kind
    rows: int
    date_format: str
    zone: str
    stored: bool
    problems: tuple[Finding, ...]  # bad rows: with any, nothing is stored
    flags: tuple[Finding, ...]  # legal and unusual


@app.command(name="import")
def import_(  # noqa: PLR0913, PLR0917 # what a user may say about a file
    file: File,
    symbol: Symbol,
    kind: KindOption = None,
    column: ColumnName = "",
    date_format: DateFormat = "",
    zone: Zone = "",
    adjusted: Adjusted = Adjustment.NOT_STATED,
    units: Units = "not stated",
    licence: Licence = "not stated",
    dry_run: DryRun = False,
    replace: Replace = False,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Check a file of your own row by row and store it, whole or not at all.

    Bars need date, open, high, low, close (adj_close and volume are optional); closes a date and a close; series a date
    and a value; trades a time, price and size.
    """
    console = Console(as_json, quiet)
    options = Options(symbol, kind, column, date_format, zone, adjusted, "", units, licence, replace)
    found = importer.plan(file, options)
    stored = not dry_run and not found.problems
    if stored:
        importer.store(found)
    if as_json:
        console.document(_document(found, stored))
    report(console, found, stored, dry_run)
    raise typer.Exit(ExitCode.FAILED if found.problems else ExitCode.OK)


def _document(found: Plan, stored: bool) -> Imported:
    return Imported(
        file=str(found.path),
        symbol=found.options.symbol,
        kind=found.kind,
        rows=found.rows,
        date_format=found.date_format,
        zone=found.zone,
        stored=stored,
        problems=found.problems,
        flags=found.flags,
    )


def report(console: Console, found: Plan, stored: bool, dry_run: bool = False) -> None:
    """What an import found, and what to type next."""
    columns = (Column("row", True), Column("column"), Column("what"))
    if found.problems and not console.as_json:
        console.show(Table(columns, [(str(one.row), one.column, one.text) for one in found.problems]))
    for one in found.flags:
        console.say(f"Unusual, and legal: {one}", Tone.WARN)
    bad = len({one.row for one in found.problems})
    console.say(f"{count(found.rows, 'row')} of {found.kind}; dates as {found.date_format}; {count(bad, 'bad row')}.")
    if stored:
        console.say(f"Stored. Next: nautilus data show {found.options.symbol}", Tone.GOOD)
    elif found.problems:
        console.say("Nothing was imported. Next: correct those rows and import the file again.", Tone.BAD)
    elif dry_run:
        console.say("A dry run: nothing was stored. Next: the same without --dry-run.")
