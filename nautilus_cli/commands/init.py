"""`nautilus init`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engines.wire import project
from nautilus_cli import flags
from nautilus_cli.console import Console

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Begin an engine or a mission of your own.")
Into = Annotated[
    Path | None,
    typer.Option("--into", file_okay=False, metavar="DIR", help="That folder, not the project's or the current one."),
]
Replaces = Annotated[
    str, typer.Option("--replaces", metavar="ENGINE", help="Take the place of this engine, under its name and port.")
]


class BegunMission(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.init-mission/1` document."""

    schema: str = "nautilus.init-mission/1"
    name: str
    file: str


@app.command()
def engine(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Small letters and digits: it becomes a package.")],
    replaces: Replaces = "",
    into: Into = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Begin a native engine: a folder with a manifest, a pure step, routes, and tests that pass."""
    from engines.fleet import scaffold
    from engines.wire import manifest

    console = Console(as_json, quiet)
    folder = (into or project.find() or Path.cwd()).absolute()
    known = manifest.discover(project_of=folder) if (folder / project.FILE).is_file() else manifest.discover()
    begun = scaffold.engine(name, folder, known, replaces)
    if as_json:
        console.document(begun)
    else:
        console.show(*begun.files)
    tests = f"{begun.project}/{project.ENGINES}/{name}"
    console.say(f"Next: python -m pytest {tests}, then: nautilus up {replaces or name}")


@app.command()
def mission(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits and dashes.")],
    into: Into = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Begin a mission: a TOML file with every field explained, valid as it stands."""
    from stress.begin import begin

    console = Console(as_json, quiet)
    path = begin(name, (into or Path.cwd()).absolute())
    if as_json:
        console.document(BegunMission(name=name, file=str(path)))
    else:
        console.show(str(path))
    console.say(f"Next: nautilus stress run {path} --dry-run")
