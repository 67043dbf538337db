"""`nautilus config`."""

from pathlib import Path
from typing import Any

import msgspec
import typer

from engines.fleet import config as configuration
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.table import Cell, Column, Table, Tone

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Show the settings in force, and where each comes from.",
)


@app.callback()
def config() -> None:
    """Show the settings in force, and where each comes from."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.config/1` document.  `project`: the folder of the project's nautilus.toml."""

    schema: str = "nautilus.config/1"
    project: str | None
    values: tuple[configuration.Value, ...]


@app.command()
def show(as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """Show every setting in force and its origin: flags > environment > nautilus.toml > your own file > defaults."""
    console = Console(as_json, quiet)
    found = configuration.load(engines=True)
    if as_json:
        plain = tuple(msgspec.structs.replace(value, value=_plain(value.value)) for value in found.values)
        console.document(Shown(project=str(found.project) if found.project else None, values=plain))
        return
    rows = [
        (value.key, _words(value.value), Cell(value.origin, Tone.FAINT if value.origin == "default" else Tone.PLAIN))
        for value in found.values
    ]
    console.show(Table((Column("setting"), Column("value"), Column("origin")), rows))
    console.say(f"Project: {found.project}" if found.project else "There is no nautilus.toml here or above.")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _words(value: Any) -> str:
    if value is None:
        return "all"  # only the set of engines may be unset
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "-"
    return str(value) if value != "" else "-"
