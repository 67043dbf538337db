"""`nautilus logs`."""

import datetime
from collections.abc import Iterable
from typing import Annotated

import msgspec
import typer

from engines.fleet import api, logtime, logview
from engines.fleet.logview import Line, Wanted
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.table import hue

app = typer.Typer(add_completion=False, rich_markup_mode=None)

LINES = 50
Processes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ENGINE",
        help="Engines, bus-main, bus-market, supervisor or zygote; all of them when left out.",
        autocompletion=flags.complete_process,
    ),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines as they come, until Ctrl-C.")]
Lines = Annotated[
    int | None,
    typer.Option("--lines", "-n", min=0, metavar="N", help=f"The last N lines of each; {LINES}, or all with --since."),
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Not before: 90s, 10m, 1h30m ago, or 2026-01-31T09:30.")
]
Grep = Annotated[
    str | None, typer.Option("--grep", metavar="REGEX", help="Only entries with a match; a traceback is one entry.")
]


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line.  `at`: UTC of its entry, ISO 8601; None when the log tells no time."""

    name: str
    at: str | None
    text: str


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.logs/1` document, in the order of time."""

    schema: str = "nautilus.logs/1"
    fleet: str
    lines: list[LogEntry]


@app.command()
def logs(  # noqa: PLR0913 - one parameter a flag: Typer reads the signature
    *,
    engines: Processes = None,
    follow: Follow = False,
    lines: Lines = None,
    since: Since = None,
    grep: Grep = None,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    as_lines: flags.JsonLines = False,
    quiet: flags.Quiet = False,
) -> None:
    """Show what the processes wrote, in the order of time.

    Logs stay after the fleet has stopped.  Ctrl-C ends --follow with 0.
    """
    flags.one_document(as_json, follow, "--follow --jsonl")
    console = Console(as_json, quiet)
    wanted = Wanted(
        lines=LINES if lines is None and since is None else lines,
        since=None if since is None else logtime.since(since),
        pattern=None if grep is None else logview.compiled(grep),
    )
    names = tuple(engines or ())
    found = api.logs(fleet, names, wanted, follow=follow)
    if as_json:
        console.document(Log(fleet=fleet, lines=[_entry(line) for line in found]))
        return
    try:
        _print(console, found, as_lines, named=len(names) != 1)
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.OK if follow else ExitCode.INTERRUPTED) from None


def _print(console: Console, found: Iterable[Line], as_lines: bool, named: bool) -> None:
    order: dict[str, int] = {}
    for line in found:
        if as_lines:
            console.line(_entry(line))
            continue
        words = console.printable(line.text)
        if named:
            tone = hue(order.setdefault(line.name, len(order)))
            words = f"{console.coloured(f'{line.name:<11}', tone)} {words}"
        console.show(words)


def _entry(line: Line) -> LogEntry:
    at = None
    if line.at is not None:
        at = datetime.datetime.fromtimestamp(line.at, datetime.UTC).isoformat(timespec="milliseconds")
    return LogEntry(name=line.name, at=at, text=line.text)
