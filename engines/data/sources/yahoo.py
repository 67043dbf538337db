"""Yahoo Finance through yfinance: daily, weekly and monthly bars.

yfinance builds its addresses from constants and keeps one session, one cookie and a cache of replies per process, and
time zones and cookies in files of its own.  Here its session maps each address to the endpoint's, so that a simulator
is reached in the same way as Yahoo, and every call runs alone, on state that belongs to this connector.
"""

import contextlib
import datetime as dt
import hashlib
import logging
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import numpy as np

from engines.data.sources.connector import Rows, select, table_of
from engines.data.sources.endpoint import PUBLISHED, Endpoint
from engines.data.sources.errors import (
    BadReply,
    BadRequest,
    CutShort,
    NoData,
    NoReply,
    NotConfigured,
    RateLimited,
    SourceError,
    Unavailable,
    Unreachable,
    Unsupported,
)
from engines.data.sources.http import MAX_BODY, Reply, check_status
from engines.data.sources.limiter import Limit, Limiter, shared
from engines.data.sources.logs import mask
from engines.data.sources.retry import Patience, Retry, retry_after
from engines.data.sources.secret import redactor
from engines.data.sources.source import Request, SourceState, Table, answered, failed

if TYPE_CHECKING:
    from curl_cffi.requests import Session

NAME, TITLE = "yahoo", "Yahoo Finance"
LIMITS = (Limit(4, 1.0), Limit(60, 60.0))  # unpublished: our own, modest
PROBE = Request(kind="bars", key="IBM", limit=5)
_CHART = "/v8/finance/chart/"
_INTERVALS = ("1d", "1wk", "1mo")
# yfinance's words for "that far back", with the trading days in them
_PERIODS = ((5, "5d"), (20, "1mo"), (60, "3mo"), (120, "6mo"), (250, "1y"), (500, "2y"), (1250, "5y"), (2500, "10y"))
_COLUMNS = {
    "open": "Open",
    "high": "High",
    "low": "Low",
    "close": "Close",
    "adj_close": "Adj Close",
    "volume": "Volume",
    "dividend": "Dividends",
    "split": "Stock Splits",
}
_alone = threading.Lock()
logging.getLogger("yfinance").addHandler(logging.NullHandler())  # its errors come back typed


class Recorder:
    """The replies to one call: the newest chart, and the digest of all charts."""

    def __init__(self) -> None:
        self.chart: Reply | None = None
        self.digest = hashlib.sha256()
        self.deadline = 0.0

    def take(self, reply: Reply) -> None:
        """Note a reply to a chart request."""
        self.chart = reply
        self.digest.update(reply.body)


class YahooSource:
    """A `source.Source` over yfinance."""

    def __init__(self, endpoint: Endpoint, env: Mapping[str, str], patience: Patience) -> None:
        self.name, self.title, self.kinds = NAME, TITLE, ("bars",)
        self._endpoint, self._patience = endpoint, patience
        self._redactor = redactor(env)
        mask(self._redactor)
        self._limiter = shared(endpoint.urls["api"], LIMITS)
        self._recorder = Recorder()
        self._session: Session[Any] | None = None
        self._state: object = None  # yfinance's, between calls

    def fetch(self, request: Request) -> Table:
        """Bars; see `source.Source`.  Prices are split-adjusted by Yahoo; `adj_close` for dividends as well.

        `extras`: `interval` (1d, 1wk or 1mo).
        """
        try:
            _accept(request)
            return Retry(self._patience).call(lambda deadline: self._attempt(request, deadline))
        except SourceError as error:
            refusal = self._redactor.error(error)
        raise refusal

    def probe(self) -> SourceState:
        """The last bars of one symbol; see `source.Source`."""
        try:
            with self._isolated():  # imports yfinance: that is no part of the round trip
                begin = time.monotonic()
        except ImportError as error:
            return failed(self.title, NotConfigured(NAME, "yfinance is not installed.", str(error), "Install it."))
        try:
            table = self.fetch(PROBE)
        except SourceError as error:
            return failed(self.title, error, (time.monotonic() - begin) * 1e3)
        return answered(self.title, self._endpoint, table, (time.monotonic() - begin) * 1e3)

    def close(self) -> None:
        """End the connections."""
        if self._session is not None:
            self._session.close()
        self._session, self._state = None, None

    def _attempt(self, request: Request, deadline: float) -> Table:
        recorder = self._recorder = Recorder()
        recorder.deadline = deadline
        try:
            rows = self._bars(request)
        except SourceError:
            raise
        except ImportError as error:
            raise NotConfigured(NAME, "yfinance is not installed.", str(error), "Install it.") from None
        except Exception as error:  # yfinance raises what it likes
            problem = _problem(error, recorder.chart)
        else:
            chart = recorder.chart
            assert chart is not None  # noqa: S101 # rows come out of a chart
            return table_of(rows, self._redactor.text(chart.url), recorder.digest.hexdigest(), self._endpoint)
        raise problem

    def _bars(self, request: Request) -> Rows:
        """What yfinance makes of Yahoo's answer."""
        interval = request.extras.get("interval", "1d")
        with self._isolated():
            import yfinance

            ticker = yfinance.Ticker(quote(request.key, safe="^=.-"), session=self._session)
            when = _when(request)
            frame = ticker.history(interval=interval, auto_adjust=False, timeout=self._patience.read_s, **when)
        if frame.empty:
            raise NoData(NAME, f"{TITLE} has no bars of {request.key} for these dates.", "yfinance's frame is empty.")
        columns = {"date": frame.index.tz_localize(None).to_numpy().astype("datetime64[D]")}
        for name, theirs in _COLUMNS.items():
            columns[name] = frame[theirs].to_numpy(dtype=np.float64)
        currency = str(ticker.history_metadata.get("currency", ""))
        units = dict.fromkeys(("open", "high", "low", "close", "adj_close", "dividend"), currency)
        return select(Rows(columns, {**units, "volume": "shares", "split": "new shares per old"}, "date"), request)

    @contextlib.contextmanager
    def _isolated(self) -> Iterator[None]:
        """yfinance with errors raised, no files, no cached replies and this connector's session; then as it was."""
        with _alone:
            from yfinance import cache
            from yfinance import config as settings
            from yfinance.data import YfData

            instances = type(YfData)._instances
            before = (
                settings.debug.hide_exceptions,
                settings.network.retries,
                cache.get_tz_cache,
                cache.get_cookie_cache,
                instances.pop(YfData, None),
            )
            settings.debug.hide_exceptions, settings.network.retries = False, 0
            cache.get_tz_cache = cache.get_cookie_cache = _NoFile
            if self._session is None:
                self._session = _session(self._endpoint, self._limiter, self._patience, self)
            if self._state is not None:
                instances[YfData] = self._state
            try:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", module=r"yfinance(\.|$)")  # about pandas to come: not ours
                    yield
            finally:
                self._state = instances.pop(YfData, None)
                settings.debug.hide_exceptions, settings.network.retries = before[:2]
                cache.get_tz_cache, cache.get_cookie_cache = before[2:4]
                if before[4] is not None:
                    instances[YfData] = before[4]
                YfData.cache_get.cache_clear()

    @property
    def recorder(self) -> Recorder:
        """Of the call under way."""
        return self._recorder


class _NoFile:
    """In place of yfinance's files of time zones and cookies."""

    def lookup(self, _: str) -> None:
        """Nothing is known."""

    def store(self, _: str, __: object) -> None:
        """Nothing is kept."""


def _accept(request: Request) -> None:
    if request.kind != "bars":
        raise Unsupported(NAME, f"{TITLE} has no {request.kind!r}.", "", "Ask for: bars.")
    interval = request.extras.get("interval", "1d")
    if interval not in _INTERVALS:
        raise BadRequest(NAME, f"There is no interval {interval!r} here.", "", f"One of: {', '.join(_INTERVALS)}.")
    if request.start is not None and request.end is not None and request.start > request.end:
        raise BadRequest(NAME, f"{request.start} is after {request.end}.", "", "Exchange the two dates.")


def _when(request: Request) -> dict[str, object]:
    """yfinance's words for the dates; its end is exclusive."""
    if request.start is None and request.end is None:
        days = request.limit * {"1d": 1, "1wk": 5, "1mo": 21}[request.extras.get("interval", "1d")]
        return {"period": next((period for most, period in _PERIODS if days <= most), "max")}
    end = request.end or dt.datetime.now(dt.UTC).date()
    start = request.start or end - dt.timedelta(days=request.limit * 3 // 2 + 10)
    return {"start": start, "end": end + dt.timedelta(days=1)}


def _session(endpoint: Endpoint, limiter: Limiter, patience: Patience, source: YahooSource) -> "Session[Any]":
    """A browser-like session that goes to the endpoint's addresses only, no faster than its limit."""
    from curl_cffi import CurlOpt
    from curl_cffi.requests import Response, Session

    services = {urlsplit(url).netloc: service for service, url in PUBLISHED[NAME].items()}
    hosts = {urlsplit(url).netloc for url in endpoint.urls.values()}

    class Mapped(Session[Response]):
        def request(self, method: Any, url: str, **options: Any) -> Response:  # type: ignore[override] # curl_cffi's 30
            parts = urlsplit(url)
            if parts.netloc not in services:
                raise BadReply(NAME, f"yfinance wanted to ask {parts.netloc}, which is not Yahoo's.")
            target = endpoint.url(parts.path, services[parts.netloc]) + (f"?{parts.query}" if parts.query else "")
            limiter.acquire(NAME, source.recorder.deadline)
            options["timeout"] = (patience.connect_s, patience.read_s)
            response = super().request(method, target, **options)
            if urlsplit(response.url).netloc not in hosts:
                raise BadReply(NAME, f"{TITLE} redirects to another host, {urlsplit(response.url).netloc}.")
            if parts.path.startswith(_CHART):
                source.recorder.take(_reply(response))
            return response

        def get(self, url: str, **options: Any) -> Response:
            return self.request("GET", url, **options)

        def post(self, url: str, **options: Any) -> Response:
            return self.request("POST", url, **options)

    curl: dict[CurlOpt, object] = {CurlOpt.MAXFILESIZE_LARGE: MAX_BODY}
    if endpoint.simulated:
        curl[CurlOpt.NOPROXY] = "*"
    return Mapped(impersonate="chrome", curl_options=curl)


def _reply(response: Any) -> Reply:
    """curl_cffi's reply as ours; the crumb in its address is a cookie's twin and is left out."""
    return Reply(
        source=NAME,
        status=response.status_code,
        headers={str(name).lower(): str(value) for name, value in response.headers.items()},
        body=response.content,
        url=response.url.partition("?")[0],
        sha256="",
        retry_after=retry_after(response.headers.get("retry-after"), dt.datetime.now(dt.UTC)),
    )


def _problem(error: Exception, chart: Reply | None) -> SourceError:
    """What yfinance's exception means: the connection's end, else the status of Yahoo's answer, else the exception."""
    from yfinance import exceptions as yahoo

    why = f"{type(error).__name__}: {error}"
    if (broken := _broken(error, why)) is not None:
        return broken
    if chart is not None and chart.status != 200:
        try:
            check_status(chart)
        except SourceError as refusal:
            return refusal
    if isinstance(error, yahoo.YFRateLimitError):
        return RateLimited(NAME, f"{TITLE}: too many requests.", why, "Ask again later.")
    if isinstance(error, yahoo.YFTickerMissingError):
        return NoData(NAME, f"{TITLE} has nothing for this request.", why, "Check the symbol and the dates.")
    if chart is not None and b"Will be right back" in chart.body:
        return Unavailable(NAME, f"{TITLE} is down.", why, "Ask again later.")
    return BadReply(NAME, f"{TITLE} sent what yfinance cannot read.", why)


def _broken(error: Exception, why: str) -> SourceError | None:
    """curl's errors as ours; None for any other."""
    from curl_cffi.const import CurlECode
    from curl_cffi.requests import exceptions as curl

    if isinstance(error, curl.Timeout):
        return NoReply(NAME, f"{TITLE} did not answer in time.", why, "Ask again later.")
    cut = (CurlECode.PARTIAL_FILE, CurlECode.RECV_ERROR, CurlECode.GOT_NOTHING)
    if isinstance(error, curl.RequestException) and error.code in cut:
        return CutShort(NAME, f"The connection to {TITLE} ended inside the reply.", why, "Ask again.")
    if isinstance(error, curl.ConnectionError | curl.ProxyError):
        return Unreachable(NAME, f"{TITLE} cannot be reached.", why, "Check the network, then ask again.")
    return None


def open_source(endpoint: Endpoint, env: Mapping[str, str], patience: Patience) -> YahooSource:
    """The connector; see `registry`."""
    return YahooSource(endpoint, env, patience)
