"""`nautilus wait`."""

import enum
import time
from typing import Annotated

import msgspec
import typer

from engines.fleet.waiting import Waiting
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.words import duration

app = typer.Typer(add_completion=False, rich_markup_mode=None)

TIMEOUT_S = 60.0


class State(enum.StrEnum):
    """What can be waited for."""

    HEALTHY = "healthy"
    READY = "ready"
    STOPPED = "stopped"


class Waited(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.wait/1` document: it came true."""

    schema: str = "nautilus.wait/1"
    fleet: str
    engines: tuple[str, ...]  # none: all that were asked for
    state: str
    seconds: float


Engines = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ENGINE",
        help="Which engines; all that were started when left out.",
        autocompletion=flags.complete_engine,
    ),
]
For = Annotated[State, typer.Option("--for", help="ready: it serves; healthy: its own report says so too.")]


@app.command()
def wait(
    *,
    engines: Engines = None,
    state: For = State.HEALTHY,
    timeout: flags.Timeout = TIMEOUT_S,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Wait until engines are healthy, ready or stopped.

    Ends 1 at once, with the reason, when that cannot come true, and 124 when it does not in time.
    """
    console = Console(as_json, quiet)
    begun = time.perf_counter()
    with console.meter("Waiting") as meter:
        most = 0

        def hear(missing: tuple[str, ...]) -> None:
            nonlocal most
            most = max(most, len(missing))
            text = f"not {state}: {', '.join(missing)}" if missing else ""
            meter.update(text, most - len(missing), most, duration(time.perf_counter() - begun))

        Waiting(fleet, engines or (), state.value).run(timeout, hear)
    seconds = time.perf_counter() - begun
    if as_json:
        console.document(Waited(fleet=fleet, engines=tuple(engines or ()), state=state, seconds=round(seconds, 3)))
    console.say(f"{', '.join(engines or ()) or 'All engines'}: {state}, after {duration(seconds)}.")
