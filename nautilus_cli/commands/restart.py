"""`nautilus restart`."""

import typer

from engines.fleet import api
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags, views
from nautilus_cli.commands.up import Follower
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.interrupts import speaking

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def restart(
    engine: flags.Engine,
    timeout: flags.Timeout = api.UP_TIMEOUT_S,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Stop one engine and start it again."""
    console = Console(as_json, quiet)
    console.say(f"Restarting {engine} ...")
    with (
        speaking(lambda: console.say("Interrupted.  The restart goes on: nautilus status")),
        console.meter("Restarting") as meter,
    ):
        now = api.restart(fleet, engine, on_event=Follower(console, meter), timeout=timeout)
    found = next(each for each in now.engines if each.name == engine)
    if as_json:
        console.document(now)
    elif not quiet:
        console.show(views.boot_table([found]))
    if found.state != "ready":
        console.say(f"Next: nautilus logs {engine}")
    raise typer.Exit(ExitCode.OK if found.state == "ready" else ExitCode.DEGRADED)
