"""A source over HTTP: what is particular to it is a `Provider`, what all have in common is `HttpSource`."""

import datetime as dt
import hashlib
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from engines.data.sources.endpoint import Endpoint
from engines.data.sources.errors import BadReply, NoData, SourceError, Unsupported
from engines.data.sources.http import Check, Credential, HttpClient, Reply
from engines.data.sources.limiter import Limit, shared
from engines.data.sources.retry import Patience
from engines.data.sources.secret import redactor
from engines.data.sources.source import (
    Column,
    Provenance,
    Request,
    SourceState,
    Table,
    answered,
    failed,
    newest_of,
    utc_now,
)

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NAT = np.datetime64("NaT", "D")


@dataclass(frozen=True)
class Rows:
    """Parsed columns.  `dates` names the column whose newest value is the newest observation."""

    columns: Mapping[str, Column]
    units: Mapping[str, str] = field(default_factory=dict)
    dates: str | None = None


class Exchange:
    """The requests behind one table: their first address and the digest of all their bodies."""

    def __init__(self, http: HttpClient, check: Check) -> None:
        self.source = http.endpoint.source
        self.url = ""
        self._http, self._check = http, check
        self._digest = hashlib.sha256()
        self._one = ""
        self._count = 0

    def get(self, path: str, params: Mapping[str, str] | None = None, service: str = "api") -> Reply:
        """One reply, checked."""
        reply = self._http.get(path, params or {}, self._check, service)
        self.url = self.url or reply.url
        self._count += 1
        self._one = reply.sha256
        self._digest.update(bytes.fromhex(reply.sha256))
        return reply

    @property
    def sha256(self) -> str:
        """Of the one body; of the bodies' digests, in order, where there were several."""
        return self._one if self._count == 1 else self._digest.hexdigest()


Fetch = Callable[[Exchange, Request], Rows]


@dataclass(frozen=True)
class Provider:
    """What is particular to one source."""

    name: str
    title: str
    kinds: Mapping[str, Fetch]
    probe: Request  # small, and for what the source surely has
    check: Check  # raises the source's own errors, also those that come with status 200
    credential: Callable[[Mapping[str, str]], Credential | None]  # of an environment; raises NotConfigured
    limits: Callable[[Mapping[str, str]], tuple[Limit, ...]]  # published, of an environment


class HttpSource:
    """A `source.Source` over HTTP.  Nothing is sent, and no key is read, before the first `fetch` or `probe`."""

    def __init__(self, provider: Provider, endpoint: Endpoint, env: Mapping[str, str], patience: Patience) -> None:
        self.name, self.title, self.kinds = provider.name, provider.title, tuple(provider.kinds)
        self._provider, self._endpoint, self._patience = provider, endpoint, patience
        self._credential: Callable[[], Credential | None] = lambda: provider.credential(env)  # `vars` shows no env
        self._limits = provider.limits(env)
        self._redactor = redactor(env)
        self._http: HttpClient | None = None

    def fetch(self, request: Request) -> Table:
        """The rows of a request; see `source.Source`."""
        try:
            return self._fetch(request)
        except SourceError as error:
            refusal = self._redactor.error(error)  # a request's key may be a secret typed in the wrong place
        raise refusal

    def probe(self) -> SourceState:
        """One small request; see `source.Source`."""
        try:
            self._client().open()
        except SourceError as error:
            return failed(self.title, error)
        begin = time.monotonic()
        try:
            table = self.fetch(self._provider.probe)
        except SourceError as error:
            return failed(self.title, error, (time.monotonic() - begin) * 1e3)
        return answered(self.title, self._endpoint, table, (time.monotonic() - begin) * 1e3)

    def close(self) -> None:
        """End the connections."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def _fetch(self, request: Request) -> Table:
        fetch = self._provider.kinds.get(request.kind)
        if fetch is None:
            what = f"{self.title} has no {request.kind!r}."
            raise Unsupported(self.name, what, "", f"Ask for one of: {', '.join(self.kinds)}.")
        exchange = Exchange(self._client(), self._provider.check)
        rows = fetch(exchange, request)
        return table_of(rows, exchange.url, exchange.sha256, self._endpoint)

    def _client(self) -> HttpClient:
        if self._http is None:
            limiter = shared(self._endpoint.urls["api"], self._limits)
            credential = self._credential()
            self._http = HttpClient(self._endpoint, limiter, self._patience, self._redactor, credential)
        return self._http


def table_of(rows: Rows, url: str, sha256: str, endpoint: Endpoint) -> Table:
    """Rows with their provenance.

    Raises:
        NoData: there is not one row.
    """
    length = len(next(iter(rows.columns.values())))
    if not length:
        raise NoData(endpoint.source, f"{endpoint.source} has no rows for this request.", "It answered without one.")
    provenance = Provenance(
        source=endpoint.source,
        simulated=endpoint.simulated,
        url=url,
        fetched_at=utc_now(),
        sha256=sha256,
        rows=length,
        newest=newest_of(rows.columns[rows.dates]) if rows.dates is not None else None,
    )
    return Table(rows.columns, provenance, rows.units)


def numbers(source: str, texts: Iterable[str], missing: frozenset[str] = frozenset()) -> Column:
    """float64 of decimal texts; NaN for the source's words for a missing value.

    Raises:
        BadReply: a text is neither; "nan", "inf" and "1_000", which Python would read, are no numbers either.
    """
    values = []
    for text in texts:
        if text in missing:
            values.append(math.nan)
        elif _DECIMAL.fullmatch(text) and math.isfinite(float(text)):
            values.append(float(text))
        else:
            raise BadReply(source, f"{source} sent a number that is none: {text[:40]!r}.")
    return np.array(values, dtype=np.float64)


def days(source: str, texts: Iterable[str]) -> Column:
    """datetime64[D] of `YYYY-MM-DD`; "" is NaT.

    Raises:
        BadReply: a text is no such date.
    """
    values = []
    for text in texts:
        try:
            values.append(_day(text) if text else _NAT)
        except ValueError:
            raise BadReply(source, f"{source} sent a date that is none: {text[:40]!r}.") from None
    return np.array(values, dtype="datetime64[D]")


def _day(text: str) -> np.datetime64:
    if not _ISO_DAY.fullmatch(text):  # Python also reads 20240102 and 2024-W01-2
        raise ValueError(text)
    return np.datetime64(dt.date.fromisoformat(text), "D")


def words(texts: Iterable[str | None]) -> Column:
    """Text, None where missing."""
    found = list(texts)
    column = np.empty(len(found), dtype=object)
    column[:] = found
    return column


def select(rows: Rows, request: Request) -> Rows:
    """Rows in date order between the request's dates, the newest `limit` of them."""
    assert rows.dates is not None  # noqa: S101 # only for rows with dates
    dates = rows.columns[rows.dates]
    order = np.argsort(dates, kind="stable")
    keep = np.ones(len(dates), dtype=bool)
    if request.start is not None:
        keep &= dates >= np.datetime64(request.start, "D")
    if request.end is not None:
        keep &= dates <= np.datetime64(request.end, "D")
    index = order[keep[order]][-request.limit :]
    return Rows({name: column[index] for name, column in rows.columns.items()}, rows.units, rows.dates)
