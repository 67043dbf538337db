"""What was fetched, kept as immutable Parquet beside the store, each file with its provenance in a JSON file.

The store has one writer, the recorder; a connector therefore writes files of its own, which DuckDB reads.  A file's
name holds its digest and it is never written again; the JSON file, replaced in one step, says which one counts.
"""

import datetime as dt
import hashlib
import logging
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from engines.data.sources.secret import Redactor
from engines.data.sources.source import Column, Provenance, Request, Source, SourceState, Table, utc_now
from engines.data.sources.table_file import settle, temporary, write
from engines.wire.errors import DataError

SCHEMA = "nautilus.cache/1"
TTL_S = 12 * 3600.0
UNCACHED = frozenset({"depth", "trades", "quotes"})  # of the moment
log = logging.getLogger(__name__)
_KINDS = {"f": "float64", "i": "int64", "b": "bool", "O": "object"}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON file of one table."""

    schema: str = SCHEMA
    request: Request
    provenance: Provenance
    units: dict[str, str]
    types: dict[str, str]  # numpy's, by column, in their order
    file: str
    file_sha256: str
    ttl_s: float


class Cache:
    """A folder of tables: `<root>/<source>/`, and `<root>/simulated/<source>/` for a simulator's."""

    def __init__(self, root: Path, ttl_s: float = TTL_S, now: Callable[[], dt.datetime] = utc_now) -> None:
        self._root, self._ttl_s, self._now = root, ttl_s, now

    def load(self, source: str, simulated: bool, request: Request) -> Table | None:
        """The table, or None where there is none, it is too old, or its files are damaged (which is logged)."""
        path = self._folder(source, simulated) / f"{_key(request)}.json"
        try:
            entry = msgspec.json.decode(path.read_bytes(), type=Entry)
            age = (self._now() - entry.provenance.fetched_at).total_seconds()
            if entry.request != request or entry.provenance.simulated != simulated or not 0 <= age <= entry.ttl_s:
                return None
            return _read(path.with_name(entry.file), entry)
        except FileNotFoundError as error:
            if error.filename == str(path):
                return None
            log.warning("%s is gone from the cache; it is fetched again", error.filename)
        except (msgspec.DecodeError, DataError, OSError) as error:
            log.warning("the cached %s of %s is damaged and is fetched again: %s", path.name, source, error)
        return None

    def save(self, request: Request, table: Table) -> Path:
        """Write a table; returns its Parquet file.

        Raises:
            OSError: the folder cannot be written.
        """
        provenance = table.provenance
        folder = self._folder(provenance.source, provenance.simulated)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with temporary(folder, ".parquet") as part:
            write(part, table)
            digest = _sha256(part)
            target = folder / f"{_key(request)}-{digest[:16]}.parquet"
            settle(part, target)
        entry = Entry(
            request=request,
            provenance=provenance,
            units=dict(table.units),
            types={name: _type(column) for name, column in table.columns.items()},
            file=target.name,
            file_sha256=digest,
            ttl_s=self._ttl_s,
        )
        with temporary(folder, ".json") as part:
            part.write_bytes(msgspec.json.format(msgspec.json.encode(entry), indent=2))
            settle(part, folder / f"{_key(request)}.json")
        for old in folder.glob(f"{_key(request)}-*.parquet"):
            if old != target:
                old.unlink(missing_ok=True)
        return target

    def _folder(self, source: str, simulated: bool) -> Path:
        return self._root / "simulated" / source if simulated else self._root / source


class Cached:
    """A source that looks into a cache first.  Probes always ask; a request that holds a secret is never kept."""

    def __init__(self, source: Source, simulated: bool, cache: Cache, redactor: Redactor) -> None:
        self.name, self.title, self.kinds = source.name, source.title, source.kinds
        self._source, self._simulated, self._cache, self._redactor = source, simulated, cache, redactor

    def fetch(self, request: Request) -> Table:
        """The cached table while it is fresh and whole, else the source's; see `source.Source`."""
        return self.answer(request)[0]

    def answer(self, request: Request, anew: bool = False) -> tuple[Table, bool]:
        """A table and whether it was kept from before; `anew`: ask the source whatever is kept, and keep its answer.

        Raises:
            SourceError: as `fetch`.
        """
        written = msgspec.json.encode(request)
        if request.kind in UNCACHED or self._redactor.body(written) != written:
            return self._source.fetch(request), False
        found = None if anew else self._cache.load(self.name, self._simulated, request)
        if found is not None:
            return found, True
        table = self._source.fetch(request)
        try:
            self._cache.save(request, table)
        except OSError as error:
            log.warning("what %s sent is not cached: %s", self.name, error)
        return table, False

    def probe(self) -> SourceState:
        """See `source.Source`."""
        return self._source.probe()

    def close(self) -> None:
        """See `source.Source`."""
        self._source.close()


def _key(request: Request) -> str:
    """A readable beginning and a digest of the whole request."""
    digest = hashlib.sha256(msgspec.json.encode(request, order="deterministic")).hexdigest()[:16]
    return f"{request.kind}-{re.sub(r'[^A-Za-z0-9]+', '_', request.key)[:32]}-{digest}"


def _type(column: Column) -> str:
    return str(column.dtype) if column.dtype.kind == "M" else _KINDS[column.dtype.kind]


def _read(path: Path, entry: Entry) -> Table:
    """The table of an entry.

    Raises:
        DataError: the file is not the one that was written.
    """
    import duckdb

    if _sha256(path) != entry.file_sha256:
        raise DataError(f"{path.name} is not the file that was written (its sha256 differs).")
    with duckdb.connect() as db:
        found = db.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchnumpy()
    columns = {}
    for name, kind in entry.types.items():
        column = found[name]
        values = np.ma.getdata(column).astype(kind)
        if (missing := np.ma.getmaskarray(column)).any():
            values[missing] = None if kind == "object" else np.datetime64("NaT") if kind.startswith("d") else np.nan
        columns[name] = values
    return Table(columns, entry.provenance, entry.units)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
