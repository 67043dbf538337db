"""`nautilus bus tail`."""

import os
from typing import Annotated

import typer

from engines.fleet import logview, resp
from engines.wire import manifest
from engines.wire.messages import TOPICS
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode
from stress.busbench import streams

app = typer.Typer(add_completion=False, rich_markup_mode=None)

LINES = 10
_TIMEOUT_S = 10.0


def _complete(incomplete: str) -> list[str]:
    return [topic for topic in TOPICS if topic.startswith(incomplete)]


Topic = Annotated[
    str,
    typer.Argument(metavar="TOPIC", help="A topic, or dead:ENGINE for its dead letters.", autocompletion=_complete),
]
Lines = Annotated[int, typer.Option("--lines", "-n", min=0, metavar="N", help="The last N messages that match.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with new messages as they come, until Ctrl-C.")]
Grep = Annotated[str | None, typer.Option("--grep", metavar="REGEX", help="Only messages whose JSON has a match.")]


@app.command()
def tail(
    topic: Topic,
    lines: Lines = LINES,
    follow: Follow = False,
    grep: Grep = None,
    fleet: flags.Fleet = DEFAULT_FLEET,
) -> None:
    """Print the last messages of a topic, decoded, one JSON document a line.

    Looking moves no cursor.  Ctrl-C ends --follow with 0.
    """
    console = Console()
    bus = streams.check_topic(topic, [each.name for each in manifest.discover()])
    pattern = None if grep is None else logview.compiled(grep)
    where = streams.links(fleet, os.environ)[bus].address
    with resp.Connection(where, _TIMEOUT_S) as link:
        found, last = streams.newest(link, topic, lines, pattern)
        for message in found:
            console.line(message)
        if not follow:
            return
        try:
            for message in streams.follow(link, topic, last, pattern):
                console.line(message)
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.OK) from None
