"""`nautilus audit`."""

from typing import Annotated

import msgspec
import typer

from engines.fleet import audit as operators_log
from engines.fleet import folders
from engines.fleet.audit import Entry
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.table import Cell, Column, Table, Tone

app = typer.Typer(add_completion=False, rich_markup_mode=None)
Last = Annotated[int, typer.Option("--lines", "-n", min=1, metavar="N", help="The last N entries.")]


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.audit/1` document, oldest entry first."""

    schema: str = "nautilus.audit/1"
    fleet: str
    entries: tuple[Entry, ...]


@app.command()
def audit(
    lines: Last = 20, fleet: flags.Fleet = DEFAULT_FLEET, as_json: flags.Json = False, quiet: flags.Quiet = False
) -> None:
    """Show who asked the fleet for what, and when."""
    console = Console(as_json, quiet)
    where = folders.of(fleet)
    found = tuple(operators_log.read(where.audit)[-lines:])
    if as_json:
        console.document(Audit(fleet=fleet, entries=found))
        return
    columns = (Column("at"), Column("who"), Column("from"), Column("what"), Column("outcome"))
    rows = [(e.at, e.user or str(e.uid or ""), _origin(e), _what(e), _outcome(e)) for e in found]
    if rows:
        console.show(Table(columns, rows))
    console.say(f"The whole log: {where.audit}" if rows else f"Nobody has asked fleet {fleet!r} for anything yet.")


def _origin(entry: Entry) -> str:
    parts = (entry.program, f"pid {entry.pid}" if entry.pid else "", entry.tty, entry.address)
    return " ".join(part for part in parts if part)


def _what(entry: Entry) -> str:
    return " ".join((entry.op, *entry.engines, entry.detail)).strip()


def _outcome(entry: Entry) -> Cell:
    return Cell(entry.outcome, Tone.PLAIN if entry.outcome == "ok" else Tone.BAD)
