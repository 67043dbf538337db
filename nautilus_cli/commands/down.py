"""`nautilus down`."""

from typing import Annotated

import msgspec
import typer

from engines.fleet import api
from engines.fleet.status import Event
from engines.wire.errors import NotRunning
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags
from nautilus_cli.console import Console, Meter
from nautilus_cli.interrupts import speaking

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Now = Annotated[bool, typer.Option("--now", help="Skip the grace: kill at once.")]


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.down/1` document.  `stopped`: something ran and was stopped."""

    schema: str = "nautilus.down/1"
    fleet: str
    stopped: bool


@app.command()
def down(
    now: Now = False,
    timeout: flags.Timeout = api.DOWN_TIMEOUT_S,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Stop the fleet, in reverse order.

    Nothing to stop is no failure.
    """
    console = Console(as_json, quiet)
    console.say(f"Stopping fleet {fleet!r} ...")
    stopped = True
    try:
        with (
            speaking(
                lambda: console.say("Interrupted.  The fleet goes on stopping; to skip its grace: nautilus down --now")
            ),
            console.meter("Stopping") as meter,
        ):
            api.down(fleet, now, on_event=Follower(meter), timeout=timeout)
    except NotRunning:
        stopped = False
    if as_json:
        console.document(Stopped(fleet=fleet, stopped=stopped))
    console.say(f"Fleet {fleet!r} is down." if stopped else f"Fleet {fleet!r} was not running.")


class Follower:
    """Hears the events of a stop and moves the meter."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._first: int | None = None  # engines that were ready

    def __call__(self, event: Event) -> None:
        """One event."""
        self._first = event.ready if self._first is None else max(self._first, event.ready)
        text = f"stopping: {event.name} {event.state}" if event.name else ""
        self._meter.update(text, self._first - event.ready, self._first, f"{event.ready} ready")
