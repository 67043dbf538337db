"""`nautilus report open`."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.runs_found import RUNS, find
from reports.errors import ReportError
from reports.runs import REPORT_HTML

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Run = Annotated[
    str | None, typer.Argument(metavar="RUN", help="A run's folder or its id; the newest under --runs when left out.")
]
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.open/1` document.  `opened`: the desktop was asked to show the page."""

    schema: str = "nautilus.open/1"
    page: str
    opened: bool


@app.command(name="open")
def open_(run: Run = None, root: flags.Runs = RUNS, as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """Open a run's page in the desktop's browser; where there is no desktop, print its path."""
    console = Console(as_json, quiet)
    folder = find(run, root)
    page = folder / REPORT_HTML
    if not page.is_file():
        raise ReportError(f"{folder.name} has no page.", "", f"nautilus report render {folder} --format html")
    program = opener(os.environ)
    if program is not None:
        _show(program, page)
    if as_json:
        console.document(Opened(page=str(page), opened=program is not None))
        return
    console.show(str(page))
    if program is None:
        console.say("There is no desktop here; open this file where there is one: it needs nothing else.")


def opener(env: Mapping[str, str]) -> str | None:
    """The desktop's program that opens a file; None without a desktop."""
    if sys.platform == "darwin":
        return shutil.which("open", path=env.get("PATH"))
    if not any(env.get(name) for name in _DISPLAYS):
        return None
    return shutil.which("xdg-open", path=env.get("PATH"))


def _show(program: str, page: Path) -> None:
    """Not waited for: some openers end with the browser."""
    nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    os.posix_spawn(program, [program, str(page)], dict(os.environ), file_actions=nowhere, setpgroup=0)
