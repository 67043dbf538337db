"""`nautilus doctor`."""

import datetime
from collections.abc import Mapping
from functools import partial

import msgspec
import typer

from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags, views
from nautilus_cli.console import Console
from nautilus_cli.diagnosis import host, product
from nautilus_cli.diagnosis.finding import Check, Finding, perform
from nautilus_cli.exits import ExitCode
from nautilus_cli.table import Column, Table
from nautilus_cli.words import count

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.doctor/1` document."""

    schema: str = "nautilus.doctor/1"
    at: str
    ok: bool
    checks: tuple[Finding, ...]


@app.command()
def doctor(fleet: flags.Fleet = DEFAULT_FLEET, as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """Check what the fleet needs of this machine.

    Ends 1 when something must be mended; a warning ends 0.
    """
    console = Console(as_json, quiet)
    found = tuple(perform(name, check) for name, check in checks(fleet).items())
    bad = sum(each.status == "fail" for each in found)
    if as_json:
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        console.document(Diagnosis(at=at, ok=not bad, checks=found))
    else:
        columns = (Column("check"), Column("status"), Column("found"))
        console.show(Table(columns, [(each.name, views.state(each.status), each.detail) for each in found]))
        for each in found:
            if each.fix:
                console.show(f"To mend {each.name}: {each.fix}")
    warned = sum(each.status == "warn" for each in found)
    console.say(f"{count(len(found), 'check')}: {bad} failed, {count(warned, 'warning')}.")
    if not bad:
        console.say("Next: nautilus up")
    raise typer.Exit(ExitCode.FAILED if bad else ExitCode.OK)


def checks(fleet: str) -> Mapping[str, Check]:
    """All checks, in the order in which they are shown."""
    return {
        "python": host.python,
        "platform": host.system,
        "cores": host.cores,
        "memory": host.memory,
        "open files": host.files,
        "clock": host.clock,
        "gpu": host.graphics,
        "packages": product.packages,
        "engines": product.engines,
        "ports": partial(product.engine_ports, fleet),
        "bus server": product.bus_server,
        "bundled data": product.bundled_data,
        "state folder": product.state_folder,
        "runtime folder": product.runtime_folder,
    }
