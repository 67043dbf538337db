"""`nautilus data replay`."""

import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engines.data import catalog
from engines.wire.bundle_files import Kind
from engines.wire.errors import DataError, UsageError
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags
from nautilus_cli.console import Console, Meter
from nautilus_cli.engine_http import EngineLink
from nautilus_cli.exits import ExitCode
from nautilus_cli.interrupts import speaking
from nautilus_cli.table import Column, Table
from nautilus_cli.words import count, number

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_LOOK_S = 0.25
_MOST = 16  # feeds at a time

What = Annotated[str, typer.Argument(metavar="DATASET|FILE", help="A stored data set of trades, or a Parquet file.")]
Symbols = Annotated[
    list[str] | None,
    typer.Option("--symbol", metavar="S", help="Which symbol; may be repeated.  All of the file's when left out."),
]
Speed = Annotated[float, typer.Option("--speed", min=0.001, metavar="X", help="Market seconds per second.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until the last trade is out.")]


class Feed(msgspec.Struct, frozen=True):
    """One feed, as the marketdata engine tells it."""

    symbol: str
    phase: str
    ticks: int
    total: int | None
    missing: int
    out_of_order: int
    rate: float | None
    peak_rate: float | None
    error: str


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.feeds/1` document."""

    schema: str = "nautilus.feeds/1"
    state: str
    replay: int
    speed: float
    ticks: int
    messages: int
    behind_max_ms: float | None
    stalls: int
    restamped: int
    error: str
    feeds: tuple[Feed, ...]


@app.command()
def replay(
    what: What,
    symbol: Symbols = None,
    speed: Speed = 1.0,
    *,
    wait: Wait = True,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Replay stored trades at their real inter-arrival times x speed, through the feeds of the running fleet."""
    console = Console(as_json, quiet)
    path = resolve(what)
    wanted = tuple(dict.fromkeys(symbol or symbols_of(path, what)))
    link = EngineLink(fleet, "marketdata")
    feeds = [{"symbol": name, "source": "file", "path": str(path)} for name in wanted]
    now = link.post("/feeds", {"feeds": feeds, "speed": speed}, Replayed)
    if wait:
        again = lambda: console.say("The feeds go on.  To end one: POST /feeds/SYMBOL/stop")  # noqa: E731 # one use
        with speaking(again), console.meter(f"Replaying {what}") as meter:
            now = _follow(link, meter)
    if as_json:
        console.document(now)
    else:
        console.show(_table(now))
        console.say(f"{count(now.ticks, 'trade')} in {count(now.messages, 'message')}; {now.state}.")
    if now.state == "failed":
        raise DataError("The feeds failed.", now.error, "nautilus logs marketdata")
    raise typer.Exit(ExitCode.OK)


def resolve(what: str) -> Path:
    """The Parquet file of a path or of a stored data set.

    Raises:
        UsageError: it is neither, or the data set holds no trades.
    """
    if Path(what).is_file():
        return Path(what).absolute()
    if "/" in what or what.endswith(".parquet"):
        raise UsageError(f"There is no file {what}.", "", "nautilus data bundle")
    found = catalog.dataset(what)
    if found.kind is not Kind.TRADES:
        raise UsageError(f"{what} holds {found.kind}, not trades.", "Feeds replay trades.", "nautilus data bundle")
    return found.path


def symbols_of(path: Path, what: str) -> list[str]:
    """The symbols of a file; one that names none is a single symbol, called as its data set.

    Raises:
        UsageError: there are more than the feeds take.
    """
    import duckdb

    with duckdb.connect(":memory:") as db:
        try:
            columns = [row[0] for row in db.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()]
            if "symbol" not in columns:
                return [Path(what).stem]
            rows = db.execute("SELECT DISTINCT symbol FROM read_parquet(?) ORDER BY 1", [str(path)]).fetchall()
        except duckdb.Error as error:
            raise UsageError(f"{path} cannot be read as Parquet.", str(error).splitlines()[0]) from None
    if len(rows) > _MOST:
        raise UsageError(f"{what} holds {len(rows)} symbols.", f"At most {_MOST} feeds run together.", "Give --symbol.")
    return [str(row[0]) for row in rows]


def _follow(link: EngineLink, meter: Meter) -> Replayed:
    """Look until the feeds are over."""
    while True:
        now = link.get("/feeds", Replayed)
        total = sum(feed.total or 0 for feed in now.feeds)
        rate = sum(feed.rate or 0.0 for feed in now.feeds)
        meter.update(now.state, now.ticks, total or 1, f"{now.ticks:,} of {total:,} trades, {number(rate, 0)}/s")
        if now.state in ("closed", "failed", "idle"):
            return now
        time.sleep(_LOOK_S)


def _table(now: Replayed) -> Table:
    columns = (
        Column("symbol"),
        Column("state"),
        Column("trades", right=True),
        Column("missing", right=True),
        Column("out of order", right=True),
        Column("peak /s", right=True),
    )
    rows = [
        (f.symbol, f.phase, f"{f.ticks:,}", str(f.missing), str(f.out_of_order), number(f.peak_rate, 0))
        for f in now.feeds
    ]
    return Table(columns, rows)
