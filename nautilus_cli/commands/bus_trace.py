"""`nautilus bus trace`."""

import contextlib
import os
from typing import Annotated

import msgspec
import typer

from engines.fleet import resp
from engines.wire import causes
from engines.wire.causes import Effect
from engines.wire.errors import DataError
from engines.wire.messages import KEPT, BusName
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.table import Column, Table, Tone
from nautilus_cli.words import count
from stress.busbench import streams, traces
from stress.busbench.traces import Found

app = typer.Typer(add_completion=False, rich_markup_mode=None)

LIMIT = 100
_TIMEOUT_S = 10.0

Root = Annotated[
    str,
    typer.Argument(metavar="ID", help="A request's X-Request-Id, or TOPIC/ENTRY of a message; TOPIC/last is its last."),
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="The first N messages at most.")]
Newest = Annotated[int, typer.Option("--newest", min=1, metavar="N", help="Look among the newest N of each topic.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON document a line, a message each.")]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One message: milliseconds from its root's time to its sending, and what caused it (empty: a request)."""

    ms: float
    producer: str
    topic: str
    kind: str
    id: str
    cause: str


@app.command()
def trace(
    root: Root,
    limit: Limit = LIMIT,
    newest: Newest = traces.NEWEST,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: JsonLines = False,
    quiet: flags.Quiet = False,
) -> None:
    """List the messages that one request over HTTP, or one message, has caused, in the order of their sending.

    Times count from when the request arrived, or the tick at the root was due.  Orders are followed to their fills.
    """
    console = Console(as_json, quiet)
    with contextlib.ExitStack() as stack:
        links: dict[BusName, resp.Connection] = {
            name: stack.enter_context(resp.Connection(bus.address, _TIMEOUT_S))
            for name, bus in streams.links(fleet, os.environ).items()
        }
        asked = traces.root_of(links, root)
        found = traces.look(links, asked, newest)
    effects = (causes.of_message if "/" in asked else causes.of_request)(found.links, asked)
    if not effects:
        raise _unknown(asked, newest)
    shown = [_line(effect) for effect in effects[:limit]]
    if as_json:
        for line in shown:
            console.line(line)
    else:
        console.show(_table(shown))
    for words in _lacking(found, effects, limit):
        console.say(words, Tone.WARN)


def _unknown(asked: str, newest: int) -> DataError:
    kept = ", ".join(sorted(KEPT))
    return DataError(
        f"No message on the buses is of {asked}.",
        f"It caused none, or they are not among the newest {newest:,} of their topics, or they were read by all and "
        f"dropped, which {kept} never are while a session lasts.",
        f"Look for one with nautilus bus tail {asked.partition('/')[0] if '/' in asked else 'orders'}.",
    )


def _line(effect: Effect) -> Line:
    link = effect.link
    return Line(
        ms=round(effect.after_ns / 1e6, 3),
        producer=link.header.producer,
        topic=link.id.partition("/")[0],
        kind=link.kind,
        id=link.id,
        cause=link.header.cause,
    )


def _table(lines: list[Line]) -> Table:
    columns = (Column("ms", True), Column("producer"), Column("topic"), Column("kind"), Column("id"), Column("cause"))
    rows = [(f"{line.ms:,.3f}", line.producer, line.topic, line.kind, line.id, line.cause or "-") for line in lines]
    return Table(columns, rows)


def _lacking(found: Found, effects: tuple[Effect, ...], limit: int) -> list[str]:
    """What the list does not hold, in words."""
    words = []
    if len(effects) > limit:
        words.append(f"{count(len(effects) - limit, 'message')} more; --limit {len(effects)} shows all.")
    began = effects[0].link.header.mono_sent
    late = sorted(topic for topic, oldest in found.cut.items() if oldest > began)
    if late:
        words.append(f"Not read from their beginning: {', '.join(late)}; --newest reads more.")
    if found.torn:
        words.append(f"{count(found.torn, 'message')} cannot be decoded.")
    return words
