"""`nautilus up`."""

import time
from typing import Annotated

import typer

from engines.fleet import api
from engines.fleet.spec import FleetSpec
from engines.fleet.status import Event, FleetStatus
from engines.wire.errors import NautilusError
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags, views
from nautilus_cli.console import Console, Meter
from nautilus_cli.exits import ExitCode
from nautilus_cli.interrupts import speaking
from nautilus_cli.table import Tone
from nautilus_cli.words import count, duration

app = typer.Typer(add_completion=False, rich_markup_mode=None)

LAST_LINES = 3  # of the log of an engine that was given up

Engines = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ENGINE", help="Only these and what they start after.", autocompletion=flags.complete_engine
    ),
]
Foreground = Annotated[bool, typer.Option("--foreground", help="Stay, follow the fleet, and stop it on Ctrl-C.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until every engine is ready or given up.")]
Offset = Annotated[
    int, typer.Option("--port-offset", min=0, max=50_000, metavar="N", help="Add N to every engine's port.")
]


@app.command()
def up(  # noqa: PLR0913 - one parameter a flag: Typer reads the signature
    *,
    engines: Engines = None,
    foreground: Foreground = False,
    wait: Wait = True,
    timeout: flags.Timeout = api.UP_TIMEOUT_S,
    port_offset: Offset = 0,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Start the fleet, or some engines with what they need.

    A fleet that is up stays as it is; an engine that is named and does not run yet is started.
    """
    flags.one_document(as_json, foreground, "nautilus up, then nautilus status --json")
    console = Console(as_json, quiet)
    spec = FleetSpec(name=fleet, engines=tuple(engines) if engines else None, port_offset=port_offset)
    console.say(f"Starting fleet {fleet!r} ...")
    if foreground:
        raise typer.Exit(_foreground(console, spec))
    begun = time.perf_counter()
    with speaking(lambda: console.say("Interrupted.  The fleet goes on starting; stop it with: nautilus down")):
        if wait:
            with console.meter("Starting") as meter:
                now = api.up(spec, on_event=Follower(console, meter), timeout=timeout)
        else:
            now = api.up(spec, timeout=timeout, wait=False)
    if as_json:
        console.document(now)
    elif not quiet:
        _show(console, now, time.perf_counter() - begun, wait)
    raise typer.Exit(ExitCode.DEGRADED if wait and not now.healthy else ExitCode.OK)


class Follower:
    """Hears the events of a start: trouble is said, all else moves the meter."""

    def __init__(self, console: Console, meter: Meter) -> None:
        self._console, self._meter = console, meter
        self._waiting: dict[str, None] = {}  # units that are not ready, in the order in which they began
        self._said: set[str] = set()

    def __call__(self, event: Event) -> None:
        """One event."""
        if event.detail and (event.state in views.UNWELL or event.kind == "phase"):
            self._once(f"{event.name} {event.state}: {event.detail}")
        if event.kind == "unit" and event.state == "ready":
            self._waiting.pop(event.name, None)
        elif event.kind == "unit":
            self._waiting[event.name] = None
        text = f"waiting for: {', '.join(self._waiting)}" if self._waiting else ""
        note = f"{event.ready}/{event.total} ready, {event.elapsed_s:.1f} s"
        self._meter.update(text, event.ready, event.total, note)

    def _once(self, text: str) -> None:
        """A crash loop says the same again and again."""
        if text not in self._said:
            self._said.add(text)
            self._console.say(text)


def _show(console: Console, now: FleetStatus, seconds: float, waited: bool) -> None:
    console.show(views.boot_table(now.wanted))
    ready, total = sum(engine.state == "ready" for engine in now.wanted), count(len(now.wanted), "engine")
    if now.already:
        console.say(f"Fleet {now.fleet!r} is already up: {ready} of {total} ready.")
        idle = [engine.name for engine in now.engines if engine not in now.wanted]
        if idle:
            console.say(f"Not asked for yet: {', '.join(idle)}.")
    elif waited:
        console.say(f"{ready} of {total} ready in {duration(seconds)}.  Logs: {now.paths.logs}")
    unwell = [engine.name for engine in now.wanted if engine.state in views.UNWELL]
    for engine in now.wanted:
        for line in engine.last_lines[-LAST_LINES:]:
            console.say(f"{engine.name}: {line}", Tone.FAINT)
    if unwell:
        console.say(f"Next: nautilus logs {unwell[0]}")
    else:
        console.say("Next: nautilus health" if waited else "Next: nautilus status --watch")


def _foreground(console: Console, spec: FleetSpec) -> ExitCode:
    """Follow the fleet until it has ended."""
    told = 0
    fatal: Event | None = None

    def speak() -> None:
        nonlocal told
        told += 1
        console.say("Stopping the fleet; Ctrl-C again skips the grace." if told == 1 else "Stopping without grace.")

    def hear(event: Event) -> None:
        nonlocal fatal
        fatal = event if event.kind == "fatal" else fatal
        words = f"{event.kind if event.kind != 'unit' else ''} {event.name} {event.state}".strip()
        detail = f": {event.detail}" if event.detail else ""
        console.say(f"{event.elapsed_s:8.2f} s  {event.ready}/{event.total}  {words}{detail}")

    with speaking(speak):
        api.foreground(spec, hear)
    if fatal is not None:
        raise NautilusError("The fleet could not start.", fatal.detail, f"nautilus logs {fatal.name}")
    return ExitCode.INTERRUPTED if told else ExitCode.OK
