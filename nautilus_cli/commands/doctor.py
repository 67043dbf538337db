"""`nautilus doctor`."""

import datetime
import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

import msgspec
import typer

from engines.wire.settings import DEFAULT_FLEET
from engines.wire.version import VERSION
from nautilus_cli import flags, views
from nautilus_cli.console import Console
from nautilus_cli.diagnosis import clocks, graphics, host, packages, places, product
from nautilus_cli.diagnosis.finding import Check, Finding, perform
from nautilus_cli.exits import ExitCode
from nautilus_cli.table import Cell, Column, Table
from nautilus_cli.words import count

app = typer.Typer(add_completion=False, rich_markup_mode=None)

WIDE = 75  # characters of what was found, beside two columns


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.doctor/1` document."""

    schema: str = "nautilus.doctor/1"
    at: str
    version: str
    ok: bool
    checks: tuple[Finding, ...]


Offset = Annotated[
    int, typer.Option("--port-offset", min=0, max=50_000, metavar="N", help="Check the ports that `up` takes with it.")
]


@app.command()
def doctor(
    port_offset: Offset = 0,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Check what the fleet needs of this machine.

    Ends 1 when something must be mended; a warning ends 0.  No secret is in it: paste it where you ask for help.
    """
    console = Console(as_json, quiet)
    found = tuple(perform(name, check) for name, check in checks(fleet, port_offset).items())
    bad = sum(each.status == "fail" for each in found)
    if as_json:
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        console.document(Diagnosis(at=at, version=VERSION, ok=not bad, checks=found))
    else:
        _show(console, found)
    warned = sum(each.status == "warn" for each in found)
    console.say(f"{count(len(found), 'check')}: {bad} failed, {count(warned, 'warning')}.")
    if not bad:
        console.say("Next: nautilus up")
    raise typer.Exit(ExitCode.FAILED if bad else ExitCode.OK)


def _show(console: Console, found: Sequence[Finding]) -> None:
    console.show(f"nautilus {VERSION}", "")
    columns = (Column("check"), Column("status"), Column("found"))
    rows: list[tuple[Cell | str, ...]] = []
    for each in found:
        first, *more = textwrap.wrap(each.detail, WIDE, break_long_words=False, break_on_hyphens=False) or [""]
        rows.append((each.name, views.state(each.status), first))
        rows += [("", "", line) for line in more]
    console.show(Table(columns, rows))
    mending = [each for each in found if each.fix]
    if mending:
        console.show("", *(f"To mend {each.name}: {each.fix}" for each in mending))


def checks(fleet: str, port_offset: int = 0) -> Mapping[str, Check]:
    """All checks, in the order in which they are shown."""
    return {
        "python": host.python,
        "platform": host.system,
        "cores": host.cores,
        "memory": host.memory,
        "open files": host.files,
        "clock": clocks.clock,
        "clock sync": clocks.synchronisation,
        "gpu": graphics.graphics,
        "packages": packages.packages,
        "engines": product.engines,
        "ports": partial(product.engine_ports, fleet, port_offset),
        "bus server": product.bus_server,
        "bundled data": product.bundled_data,
        "state folder": places.state_folder,
        "runtime folder": partial(places.runtime_folder, fleet),
        "environment": places.environment,
    }
