"""`nautilus up`."""

import time
from typing import Annotated

import typer

from engines.fleet import api, config, tcp
from engines.fleet.spec import FleetSpec
from engines.fleet.status import Event, FleetStatus
from engines.wire.errors import NautilusError
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags, views
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode, of_signal
from nautilus_cli.interrupts import speaking
from nautilus_cli.start_view import Follower, explanation, warmed
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
Explain = Annotated[bool, typer.Option("--explain", help="Say what the start's length hung on: its critical chain.")]
Offset = Annotated[
    int,
    typer.Option(
        "--port-offset",
        envvar="NAUTILUS_PORT_OFFSET",
        min=0,
        max=50_000,
        metavar="N",
        help="Add N to every engine's port.",
    ),
]
Host = Annotated[
    str, typer.Option("--host", envvar="NAUTILUS_HOST", metavar="ADDRESS", help="Listen there, not on loopback only.")
]


@app.command()
def up(  # noqa: PLR0913 - one parameter a flag: Typer reads the signature
    *,
    engines: Engines = None,
    foreground: Foreground = False,
    wait: Wait = True,
    explain: Explain = False,
    timeout: flags.Timeout = api.UP_TIMEOUT_S,
    port_offset: Offset = 0,
    host: Host = "127.0.0.1",
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Start the fleet, or some engines with what they need.

    A fleet that is up stays as it is; an engine that is named and does not run yet is started.
    """
    flags.one_document(as_json, foreground, "nautilus up, then nautilus status --json")
    console = Console(as_json, quiet)
    asked = tuple(engines) if engines else None
    spec = config.spec(config.load(), name=fleet, engines=asked, port_offset=port_offset, host=host)
    console.say(f"Starting fleet {fleet!r} ...")
    if not tcp.is_loopback(spec.host):
        console.say(f"Others can reach {spec.host}: all but /health and /ready will need the fleet's token.")
    if foreground:
        raise typer.Exit(_foreground(console, spec))
    begun = time.perf_counter()
    with speaking(lambda: console.say("Interrupted.  The fleet goes on starting; stop it with: nautilus down")):
        if wait:
            with console.meter("Starting") as meter:
                now = api.up(spec, on_event=Follower(console, meter), timeout=timeout)
        else:
            now = api.up(spec, timeout=timeout, wait=False)
    if wait and not now.already and warmed(now):
        console.say(warmed(now))
    if as_json:
        console.document(now)
    elif explain:
        console.show(*explanation(now))
    elif not quiet:
        _show(console, now, time.perf_counter() - begun, wait)
    raise typer.Exit(ExitCode.DEGRADED if wait and not now.healthy else ExitCode.OK)


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
        number = api.foreground(spec, hear)
    if fatal is not None:
        raise NautilusError("The fleet could not start.", fatal.detail, f"nautilus logs {fatal.name}")
    if number:
        return of_signal(number)
    return ExitCode.INTERRUPTED if told else ExitCode.OK
