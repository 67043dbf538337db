"""`nautilus reload`."""

from typing import Annotated

import msgspec
import typer

from engines.fleet import rollout
from engines.fleet.changes import Change, Diff
from engines.fleet.rolling import Rolled
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags
from nautilus_cli.commands.restart import tell
from nautilus_cli.console import Block, Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.interrupts import speaking
from nautilus_cli.start_view import Follower
from nautilus_cli.table import Column, Table

app = typer.Typer(add_completion=False, rich_markup_mode=None)
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would change and stop there.")]


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.reloaded/1` document.  `restarted`: None when nothing had to be, or with --dry-run."""

    schema: str = "nautilus.reloaded/1"
    applied: bool
    changes: Diff
    restarted: Rolled | None


@app.command()
def reload(
    *,
    dry_run: DryRun = False,
    timeout: flags.Timeout = rollout.TIMEOUT_S,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Read manifests and nautilus.toml again, and apply what changed.

    New engines are started, removed ones stopped, changed ones restarted one after the other where they must be.
    """
    console = Console(as_json, quiet)
    with (
        speaking(lambda: console.say("Interrupted.  What was applied stays; see what is left: nautilus reload -n")),
        console.meter("Reloading") as meter,
    ):
        found, rolled = rollout.reload(fleet, on_event=Follower(console, meter), timeout=timeout, dry=dry_run)
    if as_json:
        console.document(Reloaded(applied=not dry_run, changes=found, restarted=rolled))
    elif not found.empty and not quiet:
        console.show(*blocks(found))
    if found.empty:
        console.say("Nothing has changed.")
    if rolled is None:
        raise typer.Exit(ExitCode.OK)
    raise typer.Exit(tell(Console(False, quiet), rolled))


def blocks(found: Diff) -> tuple[Block, ...]:
    """The difference as it is shown."""
    rows: list[tuple[str, str, str, str]] = [(name, "added", "", "") for name in found.added]
    rows += [(name, "removed", "", "") for name in found.removed]
    rows += [_row(name, change) for name, changes in found.changed.items() for change in changes]
    rows += [_row("rules", change) for change in found.rules]
    table = Table((Column("engine"), Column("what"), Column("before"), Column("after")), rows)
    return (table, f"Must be restarted: {', '.join(found.restarts)}") if found.restarts else (table,)


def _row(name: str, change: Change) -> tuple[str, str, str, str]:
    return name, change.field, change.before, change.after
