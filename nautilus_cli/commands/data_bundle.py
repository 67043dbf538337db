"""`nautilus data bundle`."""

from typing import Annotated

import msgspec
import typer

from engines.data import catalog, overview
from engines.data.overview import StoredFile
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.table import Cell, Column, Table, Tone
from nautilus_cli.words import count, number

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Check = Annotated[bool, typer.Option("--check", help="End 1 unless every file has the bytes that were recorded.")]


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.bundle-files/1` document.  `bytes` counts the bundled files, not the imports."""

    schema: str = "nautilus.bundle-files/1"
    ok: bool
    bytes: int
    files: tuple[StoredFile, ...]
    problems: tuple[str, ...]


@app.command()
def bundle(check: Check = False, as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """List the bundled and imported files, where they come from, and compare each with its recorded sha256."""
    console = Console(as_json, quiet)
    files = overview.stored_files()
    problems = catalog.problems()
    wrong = [one.file for one in files if not one.ok]
    size = sum(one.bytes or 0 for one in files if not one.imported)
    if as_json:
        console.document(Bundle(ok=not wrong, bytes=size, files=files, problems=problems))
    else:
        console.show(_table(files))
    for problem in problems:
        console.say(problem, Tone.WARN)
    console.say(f"{count(len(files), 'file')}; the bundle takes {size / 1e6:.2f} MB.")
    if wrong:
        console.say(f"Not what was recorded: {', '.join(wrong)}. Next: python scripts/build_bundle.py", Tone.BAD)
    raise typer.Exit(ExitCode.FAILED if check and wrong else ExitCode.OK)


def _table(files: tuple[StoredFile, ...]) -> Table:
    columns = (
        Column("file"), Column("bytes", True), Column("sha256"), Column("kind"), Column("first"), Column("last"),
        Column("licence"), Column("content"),
    )  # fmt: skip
    rows = [
        (
            one.file,
            number(one.bytes, 0),
            Cell("ok", Tone.GOOD) if one.ok else Cell("missing" if one.bytes is None else "WRONG", Tone.BAD),
            one.kind.value,
            one.first,
            one.last,
            one.licence,
            one.title,
        )
        for one in files
    ]
    return Table(columns, rows)
