"""`nautilus restart`."""

from typing import Annotated

import typer

from engines.fleet import api, rollout
from engines.fleet.rolling import Rolled
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags, views
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.interrupts import speaking
from nautilus_cli.start_view import Follower
from nautilus_cli.words import count

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Engines = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ENGINE", help="Which engine; with --rolling some, or all.", autocompletion=flags.complete_engine
    ),
]
Rolling = Annotated[
    bool,
    typer.Option("--rolling", help="One after the other, never two of a dependency chain down; stop at a failure."),
]
Now = Annotated[bool, typer.Option("--now", help="At once, whatever orders it has open.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="With --rolling: show the order and stop there.")]


@app.command()
def restart(  # noqa: PLR0913 # one parameter an option
    *,
    engines: Engines = None,
    rolling: Rolling = False,
    dry_run: DryRun = False,
    now: Now = False,
    timeout: flags.Timeout = api.UP_TIMEOUT_S,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Stop one engine and start it again, or all in rolling order."""
    console = Console(as_json, quiet)
    if rolling:
        raise typer.Exit(_rolling(console, fleet, tuple(engines or ()), timeout, dry_run))
    if dry_run:
        raise typer.BadParameter("it shows a rolling order; add --rolling", param_hint="--dry-run")
    if not engines or len(engines) != 1:
        raise typer.BadParameter("name one engine, or add --rolling", param_hint="ENGINE")
    (engine,) = engines
    console.say(f"Restarting {engine} ...")
    with (
        speaking(lambda: console.say("Interrupted.  The restart goes on: nautilus status")),
        console.meter("Restarting") as meter,
    ):
        after = api.restart(fleet, engine, on_event=Follower(console, meter), timeout=timeout, now=now)
    found = next(each for each in after.engines if each.name == engine)
    if as_json:
        console.document(after)
    elif not quiet:
        console.show(views.boot_table([found]))
    if found.state != "ready":
        console.say(f"Next: nautilus logs {engine}")
    raise typer.Exit(ExitCode.OK if found.state == "ready" else ExitCode.DEGRADED)


def _rolling(console: Console, fleet: str, engines: tuple[str, ...], timeout: float, dry: bool) -> ExitCode:
    with (
        speaking(lambda: console.say("Interrupted.  The engine under way comes back, the others stay as they are.")),
        console.meter("Restarting") as meter,
    ):
        found = rollout.rolling(fleet, engines, on_event=Follower(console, meter), timeout=timeout, dry=dry)
    return tell(console, found, dry)


def tell(console: Console, found: Rolled, dry: bool = False) -> ExitCode:
    """Show what a rolling restart has done."""
    if console.as_json:
        console.document(found)
    elif dry:
        console.show(*found.planned)
    if dry:
        return ExitCode.OK
    if found.failed:
        console.say(f"Stopped at {found.failed}: {found.why}")
        left = f"; not begun: {', '.join(found.left)}" if found.left else ""
        console.say(f"Restarted: {', '.join(found.done) or 'none'}{left}.  Next: nautilus why {found.failed}")
        return ExitCode.DEGRADED
    console.say(f"Restarted {count(len(found.done), 'engine')}, one after the other.")
    return ExitCode.OK
