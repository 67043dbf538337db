"""`nautilus units`."""

import getpass
import shutil
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engines.fleet import folders, service_units
from engines.fleet.service_units import Service
from engines.wire import project
from engines.wire.settings import DEFAULT_FLEET, home
from nautilus_cli import flags
from nautilus_cli.console import Console

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Write a service manager's unit for the fleet.")
Out = Annotated[
    Path | None, typer.Option("--out", file_okay=False, metavar="DIR", help="Write it there instead of showing it.")
]
System = Annotated[
    bool, typer.Option("--system", help="For the machine's service manager, running as you; else for your own.")
]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.units/1` document.  `path`: None when nothing was written."""

    schema: str = "nautilus.units/1"
    kind: str
    path: str | None
    text: str


@app.command()
def systemd(
    *,
    out: Out = None,
    system: System = False,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Write a systemd service that keeps the fleet up."""
    service = _service(fleet, system)
    place = "/etc/systemd/system" if system else "~/.config/systemd/user"
    control = "systemctl" if system else "systemctl --user"
    after = f"copy it to {place}, then: {control} enable --now {service.name}"
    _give(Console(as_json, quiet), "systemd", out, f"{service.name}.service", service_units.systemd(service), after)


@app.command()
def launchd(
    *,
    out: Out = None,
    system: System = False,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Write a launchd property list that keeps the fleet up."""
    service = _service(fleet, system)
    name = f"org.nautilus.{fleet}.plist"
    place = "/Library/LaunchDaemons" if system else "~/Library/LaunchAgents"
    after = f"copy it to {place}, then: launchctl load {place}/{name}"
    _give(Console(as_json, quiet), "launchd", out, name, service_units.launchd(service).decode(), after)


def _service(fleet: str, system: bool) -> Service:
    folders.of(fleet)  # a name that can be a fleet's
    found = shutil.which("nautilus", path=str(Path(sys.executable).parent)) or shutil.which("nautilus")
    return Service(
        fleet=fleet,
        program=Path(found or sys.argv[0]).absolute(),
        home=home(),
        project=project.find(),
        user=getpass.getuser() if system else None,
    )


def _give(console: Console, kind: str, out: Path | None, name: str, text: str, after: str) -> None:
    path = None
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        home().mkdir(mode=0o700, parents=True, exist_ok=True)  # a unit starts in no folder that is not there
        path = out / name
        path.write_text(text, "utf-8")
    if console.as_json:
        console.document(Written(kind=kind, path=str(path) if path else None, text=text))
    elif path is None:
        console.show(text.rstrip("\n"))
    else:
        console.show(str(path))
    console.say(f"Next: {after}")
