"""`nautilus health`."""

import datetime
from typing import Annotated

import typer

from engines.fleet import api
from engines.fleet.status import FleetHealth, summarise
from engines.wire.errors import NotRunning, UnknownName
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags, views
from nautilus_cli.console import Block, Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.words import number

app = typer.Typer(add_completion=False, rich_markup_mode=None)

EVERY_S = 2.0
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Go on asking until Ctrl-C, which ends it with 0.")]


@app.command()
def health(
    *,
    engine: flags.OptionalEngine = None,
    watch: Watch = False,
    interval: flags.Interval = EVERY_S,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    as_lines: flags.JsonLines = False,
    quiet: flags.Quiet = False,
) -> None:
    """Ask every engine for its own health report."""
    flags.one_document(as_json, watch, "--watch --jsonl")
    console = Console(as_json, quiet)
    if watch:
        console.watch(lambda: ask(fleet, engine), blocks, interval, as_lines)
        raise typer.Exit(ExitCode.OK)
    found = ask(fleet, engine)
    if as_lines:
        console.line(found)
    elif as_json:
        console.document(found)
    else:
        console.show(*blocks(found))
    unwell = [each.name for each in found.engines if each.status != "healthy"]
    if unwell:
        console.say(f"Not healthy: {', '.join(unwell)}.  Next: nautilus why {unwell[0]}")
    raise typer.Exit(ExitCode.DEGRADED if unwell else ExitCode.OK)


def ask(fleet: str, engine: str | None) -> FleetHealth:
    """Every engine's report, or one's.

    Raises:
        NotRunning: the fleet, or that engine.
        UnknownName: there is no such engine.
    """
    found = api.health(fleet)
    if engine is not None:
        known = [each.name for each in api.status(fleet).engines]
        if engine not in known:
            raise UnknownName("engine", engine, known)
        found = [each for each in found if each.name == engine]
    if not found:
        what = f"{engine or 'Any engine'} is not running."
        raise NotRunning(what, "It was not started, or it was stopped.", f"nautilus up {engine or ''}".strip())
    return summarise(found, datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"))


def blocks(found: FleetHealth) -> tuple[Block, ...]:
    """Health as it is shown."""
    summary = found.summary
    share = f"{summary.healthy} of {summary.total} healthy ({number(summary.availability_percent)} %)"
    words = f"The fleet is {summary.status}: {share}"
    return views.health_table(found.engines), "", f"{words}, {number(summary.average_response_ms, 2)} ms on average"
