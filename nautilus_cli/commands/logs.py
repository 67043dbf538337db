"""`nautilus logs`."""

from typing import Annotated

import msgspec
import typer

from engines.fleet import api
from engines.fleet.logs import LogLine
from engines.wire.errors import NotRunning
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.table import Tone

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Process = Annotated[
    str | None,
    typer.Argument(
        metavar="ENGINE",
        help="One engine, bus-main, bus-market, supervisor or zygote; all of them when left out.",
        autocompletion=flags.complete_engine,
    ),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines as they come, until Ctrl-C.")]
Lines = Annotated[int, typer.Option("--lines", "-n", min=0, metavar="N", help="The last N lines of each.")]


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.logs/1` document."""

    schema: str = "nautilus.logs/1"
    fleet: str
    lines: list[dict[str, str]]


@app.command()
def logs(
    engine: Process = None,
    follow: Follow = False,
    lines: Lines = 50,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    as_lines: flags.JsonLines = False,
    quiet: flags.Quiet = False,
) -> None:
    """Show what the processes wrote.

    Logs stay after the fleet has stopped.
    """
    flags.one_document(as_json, follow, "--follow --jsonl")
    console = Console(as_json, quiet)
    found = api.logs(fleet, engine, lines=lines, follow=follow)
    if as_json:
        console.document(Log(fleet=fleet, lines=[line._asdict() for line in found]))
        return
    shown = 0
    for line in found:
        shown += 1
        if as_lines:
            console.line(line._asdict())
        else:
            console.show(_words(console, line, named=engine is None))
    if not shown and engine is None and not any(api.logs(fleet, lines=1)):
        raise NotRunning(f"Fleet {fleet!r} has no logs.", "It has never been up.", "nautilus up")


def _words(console: Console, line: LogLine, named: bool) -> str:
    return f"{console.coloured(f'{line.name:<11}', Tone.FAINT)} {line.text}" if named else line.text
