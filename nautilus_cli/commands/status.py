"""`nautilus status`."""

from typing import Annotated

import typer

from engines.fleet import api
from engines.fleet.status import FleetStatus
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags, views
from nautilus_cli.console import Block, Console
from nautilus_cli.exits import ExitCode

app = typer.Typer(add_completion=False, rich_markup_mode=None)

EVERY_S = 1.0
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Go on showing until Ctrl-C, which ends it with 0.")]


@app.command()
def status(
    *,
    watch: Watch = False,
    interval: flags.Interval = EVERY_S,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    as_lines: flags.JsonLines = False,
    quiet: flags.Quiet = False,
) -> None:
    """Show processes: states, memory, CPU, restarts."""
    flags.one_document(as_json, watch, "--watch --jsonl")
    console = Console(as_json, quiet)
    if watch:
        console.watch(lambda: api.status(fleet), blocks, interval, as_lines)
        raise typer.Exit(ExitCode.OK)
    now = api.status(fleet)
    if as_lines:
        console.line(now)
    elif as_json:
        console.document(now)
    else:
        console.show(*blocks(now))
    unwell = [engine.name for engine in now.wanted if engine.state in views.UNWELL]
    if unwell:
        console.say(f"Not well: {', '.join(unwell)}.  Next: nautilus why {unwell[0]}")
    raise typer.Exit(ExitCode.DEGRADED if unwell else ExitCode.OK)


def blocks(now: FleetStatus) -> tuple[Block, ...]:
    """The fleet as it is shown."""
    engines, buses = views.status_tables(now)
    return views.headline(now), "", engines, "", buses
