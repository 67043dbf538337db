"""`nautilus bus stats`."""

import asyncio
import os

import msgspec
import typer

from engines.wire import manifest
from engines.wire.messages import BusName
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.table import Cell, Column, Table, Tone
from nautilus_cli.words import count, number
from stress.busbench import streams
from stress.busbench.streams import Lag, Stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class BusStats(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.bus-stats/1` document."""

    schema: str = "nautilus.bus-stats/1"
    fleet: str
    streams: tuple[Stream, ...]


@app.command()
def stats(fleet: flags.Fleet = DEFAULT_FLEET, as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """Show every topic as its server counts it, and how many entries its consumers have before them.

    Looking moves no cursor.
    """
    console = Console(as_json, quiet)
    found = asyncio.run(_look(fleet))
    if as_json:
        console.document(BusStats(fleet=fleet, streams=found))
        return
    console.show(_table(found))
    added = sum(stream.added for stream in found)
    behind = sum(any(lag.behind for lag in stream.lags) for stream in found)
    console.say(f"{count(added, 'message')} published; a consumer is behind on {count(behind, 'topic')}.")


async def _look(fleet: str) -> tuple[Stream, ...]:
    from engines.wire.redis_bus import RedisBus

    reached: dict[BusName, RedisBus] = {
        name: RedisBus(bus.url) for name, bus in streams.links(fleet, os.environ).items()
    }
    try:
        return await streams.look(reached, manifest.discover())
    finally:
        for bus in reached.values():
            await bus.close()


def _table(found: tuple[Stream, ...]) -> Table:
    columns = (
        Column("topic"), Column("bus"), Column("held", True), Column("added", True), Column("first"), Column("last"),
        Column("consumers and entries before them"),
    )  # fmt: skip
    rows = [
        (
            each.topic,
            each.bus,
            number(each.length, 0),
            number(each.added, 0),
            each.first or "-",
            each.last or "-",
            _lags(each.lags),
        )
        for each in found
    ]
    return Table(columns, rows)


def _lags(lags: tuple[Lag, ...]) -> Cell:
    text = ", ".join(f"{lag.consumer} {_words(lag)}" for lag in lags) or "-"
    return Cell(text, Tone.WARN if any(lag.behind for lag in lags) else Tone.PLAIN)


def _words(lag: Lag) -> str:
    if lag.behind is None:
        return "never"
    return f"{lag.behind:,}{'+' if lag.more else ''}"
