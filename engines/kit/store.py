"""The store: one DuckDB file with one writer, and immutable Parquet for everyone else.

The writer inserts messages and the positions up to which it has read in one transaction, so what is recorded and where
recording goes on can never disagree, whenever the process is killed.  Nobody else opens the file: DuckDB locks it even
against readers.  Everyone else reads the Parquet files with a DuckDB of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec
import numpy as np
import numpy.typing as npt

from engines.kit import damage, parquet
from engines.wire.bus import START, DeadLetter, Entry, parse_id
from engines.wire.errors import BusError, DataError, Fenced
from engines.wire.messages import Envelope, Header, decode, encode_header
from engines.wire.ticks import TRADE, Rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILE = "nautilus.duckdb"
TICKS = "ticks"  # the Parquet folder of single trades; every other folder is a topic
_UNTRACED = "untraced"
_MOST = 2**20
_CONFIG: dict[str, str | int] = {"threads": 1, "memory_limit": "512MB", "checkpoint_threshold": "4MB"}
# rows that wait for a checkpoint lie in memory: a small threshold keeps them few, and costs no time
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    topic VARCHAR, entry_id VARCHAR, producer VARCHAR, epoch BIGINT, seq BIGINT, cause VARCHAR, ordinal BIGINT,
    trace VARCHAR, ts_event BIGINT, mono_intended BIGINT, mono_sent BIGINT, mono_recorded BIGINT,
    kind VARCHAR, body BLOB, json VARCHAR);
CREATE TABLE IF NOT EXISTS trades (
    trace VARCHAR, ts BIGINT, symbol VARCHAR, side TINYINT, price BIGINT, size BIGINT);
CREATE TABLE IF NOT EXISTS dead_letters (
    topic VARCHAR, entry_id VARCHAR, mono_recorded BIGINT, reason VARCHAR, header BLOB, body BLOB);
CREATE TABLE IF NOT EXISTS recorder (epoch BIGINT, cursors VARCHAR, ledger BLOB);
"""
_RECORDED_AT = 11  # the column `mono_recorded` of `messages`, which Row lacks
_cursors = msgspec.json.Decoder(dict[str, str])


class StoreError(BusError):
    """The store cannot be opened or written; like a bus that does not answer, it is tried again."""


class StoreDamaged(StoreError):
    """The file is not what DuckDB wrote: it is set aside (`Store.set_aside`), since trying again cannot help."""


class Row(NamedTuple):
    """One message as it is stored: where it was read, its header, the name of its class, its bytes.

    `json` is the body for people and SQL; None for ticks, whose rows have a table of their own.
    """

    topic: str
    entry_id: str
    producer: str
    epoch: int
    seq: int
    cause: str
    ordinal: int
    trace: str
    ts_event: int
    mono_intended: int
    mono_sent: int
    kind: str
    body: bytes
    json: str | None


class TickRows(NamedTuple):
    """One batch of trades: `rows` is a `ticks.TRADE` array, `symbols` what its symbol column indexes."""

    trace: str
    symbols: tuple[str, ...]
    rows: Rows


class Batch(NamedTuple):
    """What one transaction inserts."""

    rows: Sequence[Row]
    ticks: Sequence[TickRows]
    dead: Sequence[DeadLetter]


class Position(NamedTuple):
    """Up to where the store holds messages, per topic, and the ledger of it (MessagePack; empty before any)."""

    cursors: dict[str, str]
    ledger: bytes


class Count(NamedTuple):
    """Messages of one topic and trace."""

    topic: str
    trace: str
    rows: int
    last_id: str
    last_ts_event: int


class Store:
    """The one writer.  Synchronous; one thread at a time, except `export`, which may run beside the writer.

    Every method raises StoreError when DuckDB cannot do what it should.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.before_write: Callable[[], None] = (
            _nothing  # raises OSError where a drill says that nothing can be written
        )
        self._connection: DuckDBPyConnection | None = None

    def open(self) -> None:
        """Open the file, made when it is not there; nothing happens when it is open.

        Raises:
            StoreError: another process holds it, or it cannot be read; StoreDamaged: nor ever again.
        """
        if self._connection is not None:
            return
        import duckdb

        try:
            self.before_write()
            self.file.parent.mkdir(parents=True, exist_ok=True)
            connection = duckdb.connect(str(self.file), config=dict(_CONFIG))
            connection.execute(_SCHEMA)
        except (duckdb.Error, OSError) as error:
            raise _failure(f"The store {self.file.name} cannot be opened.", error) from error
        self._connection = connection

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def set_aside(self) -> Path:
        """Give a damaged file another name, and return it; the next `open` begins a new store.  Raises StoreError."""
        self.close()
        try:
            return damage.set_aside(self.file)
        except OSError as error:
            raise StoreError(f"The damaged store {self.file.name} cannot be set aside.", str(error)) from error

    def claim(self, epoch: int) -> Position:
        """Start the incarnation `epoch`; older ones are fenced.

        Epochs only grow on one bus, so an epoch that is not above the stored one comes from a new bus: its streams
        begin anew, and so does reading.
        """
        self._permitted()
        position = Position({}, b"")
        saved = self._ask("SELECT epoch, cursors, ledger FROM recorder")
        if not saved:
            self._ask("INSERT INTO recorder VALUES (?, '{}', ''::BLOB)", [epoch])
            return position
        before, cursors, ledger = saved[0]
        if epoch > before:
            position = Position(_cursors.decode(cursors), ledger)
        self._ask(
            "UPDATE recorder SET epoch = ?, cursors = ?, ledger = ?",
            [epoch, msgspec.json.encode(position.cursors).decode(), position.ledger],
        )
        return position

    def write(self, epoch: int, batch: Batch, position: Position, mono_ns: int) -> None:
        """Insert a batch and move the position in one transaction.

        Raises:
            Fenced: another incarnation has claimed the store; nothing is written.
        """
        import duckdb

        connection = self._opened()
        try:
            self.before_write()
            connection.begin()
            try:
                _move(connection, epoch, position)
                _insert(connection, batch, mono_ns)
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
        except (duckdb.Error, OSError) as error:
            raise _failure("The store cannot be written.", error) from error

    def dead_after(self, cursors: Mapping[str, str]) -> list[DeadLetter]:
        """Dead letters above `cursors`: recorded here, perhaps not yet on the bus."""
        found = self._ask("SELECT topic, entry_id, header, body, reason FROM dead_letters ORDER BY rowid")
        return [
            DeadLetter(Entry(topic, entry_id, header, body), reason)
            for topic, entry_id, header, body, reason in found
            if parse_id(entry_id) > parse_id(cursors.get(topic, START))
        ]

    def counts(self) -> list[Count]:
        """Messages per topic and trace."""
        rows = self._ask(
            "SELECT topic, trace, count(*), arg_max(entry_id, rowid), max(ts_event) FROM messages GROUP BY ALL"
        )
        return [Count(*row) for row in rows]

    def messages(self, topic: str) -> list[Envelope]:
        """Everything recorded of a topic: for topics of few messages, such as `sessions`."""
        return [_envelope(row) for row in self._ask(f"{_SELECT} FROM messages WHERE topic = ? ORDER BY rowid", [topic])]

    def export(self, folder: Path, run: str) -> list[Path]:
        """Write every topic of the run `run` (a trace, or traces `run/…`) as `folder/<topic>/<trace>.parquet`.

        A file appears whole (atomic rename) and is never changed: when more was recorded since, it is replaced.
        Returns the files that are new.
        """
        import duckdb

        written = []
        try:
            self.before_write()
            connection = self._opened().cursor()
            for table, key in (("messages", "topic"), ("trades", f"'{TICKS}'")):
                counted = connection.execute(
                    f"SELECT {key}, trace, count(*) FROM {table} "  # noqa: S608 # both are literals of this module
                    "WHERE trace = ? OR starts_with(trace, ? || '/') GROUP BY ALL ORDER BY ALL",
                    [run, run],
                ).fetchall()
                for topic, trace, rows in counted:
                    target = parquet_file(folder, topic, trace)
                    if parquet.rows(connection, target) != rows:
                        parquet.copy(connection, table, (topic, trace), target)
                        written.append(target)
        except (duckdb.Error, OSError) as error:
            raise StoreError(f"The run {run!r} cannot be exported.", str(error).splitlines()[0]) from error
        return written

    def size(self) -> int:
        """Bytes of the file and its write-ahead log."""
        files = (self.file, self.file.with_name(self.file.name + damage.LOG))
        return sum(file.stat().st_size for file in files if file.exists())

    def _permitted(self) -> None:
        try:
            self.before_write()
        except OSError as error:
            raise _failure("The store cannot be written.", error) from error

    def _opened(self) -> "DuckDBPyConnection":
        if self._connection is None:
            raise StoreError("The store is not open.")
        return self._connection

    def _ask(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self._opened().execute(sql, list(parameters)).fetchall()
        except duckdb.Error as error:
            raise _failure("The store cannot be read.", error) from error


def _failure(what: str, error: Exception) -> StoreError:
    why = (str(error).splitlines() or [type(error).__name__])[0]
    return (StoreDamaged if damage.is_damage(why) else StoreError)(what, why)


def _nothing() -> None:
    """Writing is not forbidden."""


# ------------------------------------------------------------------------------------------------- Parquet
_SELECT = (
    "SELECT topic, entry_id, producer, epoch, seq, cause, ordinal, trace, ts_event, mono_intended, mono_sent, body"
)


def parquet_file(folder: Path, topic: str, trace: str) -> Path:
    """The file of a topic and trace: `r1/window` is `folder/<topic>/r1/window.parquet`."""
    parts = [quote(part, safe=" ").lstrip(".") or "_" for part in (trace or _UNTRACED).split("/")]
    return folder.joinpath(topic, *parts[:-1], parts[-1] + ".parquet")


def read_messages(folder: Path, topic: str, trace: str, newest: int = _MOST) -> list[Envelope]:
    """The last `newest` messages that were exported of a topic and trace, in the order of the stream.

    Raises:
        DataError: nothing was exported of them.
    """
    file = _exported(folder, topic, trace)
    source = "read_parquet(?, file_row_number = true) ORDER BY file_row_number DESC LIMIT ?"
    return [_envelope(row) for row in reversed(_query(f"{_SELECT} FROM {source}", [str(file), newest]))]


def read_ticks(folder: Path, trace: str) -> tuple[tuple[str, ...], Rows]:
    """The exported trades of a trace: the symbols, and a `ticks.TRADE` array whose symbol column indexes them.

    Raises:
        DataError: nothing was exported of it.
    """
    import duckdb

    file = _exported(folder, TICKS, trace)
    with duckdb.connect(":memory:") as connection:
        found = connection.execute(
            "SELECT ts, symbol, side, price, size FROM read_parquet(?)", [str(file)]
        ).fetchnumpy()
    symbols, index = np.unique(np.asarray(found["symbol"], dtype=str), return_inverse=True)
    rows = np.empty(index.size, TRADE)
    for column in ("ts", "side", "price", "size"):
        rows[column] = np.ma.getdata(found[column])
    rows["symbol"] = index
    return tuple(str(symbol) for symbol in symbols), rows


def _exported(folder: Path, topic: str, trace: str) -> Path:
    file = parquet_file(folder, topic, trace)
    if not file.exists():
        raise DataError(
            f"Nothing of {topic!r} was exported for the trace {trace!r}.",
            "A run is exported after its session closes.",
            "POST /export on the backend exports what is recorded so far; GET /runs lists the traces.",
        )
    return file


def _query(sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    import duckdb

    with duckdb.connect(":memory:") as connection:
        return connection.execute(sql, list(parameters)).fetchall()


# -------------------------------------------------------------------------------------------------- rows
def _move(connection: "DuckDBPyConnection", epoch: int, position: Position) -> None:
    moved = connection.execute(
        "UPDATE recorder SET cursors = ?, ledger = ? WHERE epoch = ?",
        [msgspec.json.encode(position.cursors).decode(), position.ledger, epoch],
    ).fetchone()
    if moved != (1,):
        raise Fenced(f"The store's epoch {epoch} is over.")


def _insert(connection: "DuckDBPyConnection", batch: Batch, mono_ns: int) -> None:
    """Insert through numpy columns: an order of magnitude cheaper than rows."""
    if batch.rows:
        columns = list(zip(*batch.rows, strict=True))
        columns.insert(_RECORDED_AT, (mono_ns,) * len(batch.rows))
        _append(connection, "messages", {f"c{n}": _column(values) for n, values in enumerate(columns)})
    if batch.dead:
        letters = [(d.entry.topic, d.entry.id, mono_ns, d.reason, d.entry.header, d.entry.body) for d in batch.dead]
        columns = list(zip(*letters, strict=True))
        _append(connection, "dead_letters", {f"c{n}": _column(values) for n, values in enumerate(columns)})
    groups: dict[tuple[str, tuple[str, ...]], list[Rows]] = {}
    for part in batch.ticks:
        groups.setdefault((part.trace, part.symbols), []).append(part.rows)
    for (trace, symbols), parts in groups.items():
        rows = np.concatenate(parts) if len(parts) > 1 else parts[0]
        data = {name: np.ascontiguousarray(rows[name]) for name in TRADE.names or ()}
        connection.register("batch", data)
        connection.execute(
            "INSERT INTO trades SELECT ?, ts, list_extract(?::VARCHAR[], symbol + 1), side, price, size FROM batch",
            [trace, symbols],
        )
        connection.unregister("batch")


def _append(connection: "DuckDBPyConnection", table: str, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    connection.register("batch", columns)
    connection.execute(f"INSERT INTO {table} SELECT * FROM batch")  # noqa: S608 # a literal of this module
    connection.unregister("batch")


def _column(values: Sequence[object]) -> npt.NDArray[Any]:
    if isinstance(values[0], int):
        return np.array(values, dtype=np.int64)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _envelope(row: tuple[Any, ...]) -> Envelope:
    topic, entry_id, producer, epoch, seq, cause, ordinal, trace, ts_event, intended, sent, body = row
    header = Header(producer, epoch, seq, cause, ordinal, trace, ts_event, intended, sent)
    return decode(topic, entry_id, encode_header(header), body)
