"""Yahoo Finance's protocol as far as yfinance uses it for bars: a cookie, a crumb, charts."""

import datetime as dt
import secrets

import numpy as np

from engines.data.simulators.http_server import Allowance, Answer, Ask, as_json, as_page
from engines.wire import bundle
from engines.wire.errors import UnknownName

_CHART = "/v8/finance/chart/"
_ZONE = "America/New_York"
_OPEN_UTC = 14 * 3600 + 1800  # 09:30 in New York's winter, in seconds of a UTC day
_RANGES = {"1d": 1, "5d": 5, "1mo": 21, "3mo": 63, "6mo": 126, "1y": 252, "2y": 504, "5y": 1260, "10y": 2520}


class Yahoo:
    """Bars of the bundle; a range counts back from the bundle's last day."""

    def __init__(self, second: Allowance | None = None) -> None:
        self._second = second or Allowance(100, 1.0)  # unpublished
        self._cookie, self._crumb = secrets.token_hex(16), secrets.token_hex(6)

    def respond(self, ask: Ask) -> Answer:
        """Cookie, crumb, chart and the refusals."""
        if ask.service == "cookie":  # it is a page that does not exist, and sets the cookie
            cookie = {"Set-Cookie": f"A3={self._cookie}; Path=/; HttpOnly"}
            return as_page("Yahoo", "Not here", 404, cookie)
        if ask.service in ("consent", "form"):
            return as_page("Yahoo", "Nothing to agree to", 200)
        if self._second.take() is not None:
            return Answer(b"Too Many Requests\r\n", 429, "text/plain", {"Retry-After": "1"})
        if ask.path == "/v1/test/getcrumb":
            if f"A3={self._cookie}" not in ask.headers.get("cookie", ""):
                return as_json(
                    {"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Cookie"}}},
                    401,
                )
            return Answer(self._crumb.encode(), 200, "text/plain")
        if ask.path.startswith(_CHART):
            return _chart(ask.path.removeprefix(_CHART), dict(ask.params))
        return as_json({"finance": {"result": None, "error": {"code": "Not Found", "description": ask.path}}}, 404)


def _chart(symbol: str, params: dict[str, str]) -> Answer:
    try:
        bars = bundle.bars("SPX" if symbol == "^GSPC" else symbol)
    except UnknownName:
        return _problem("No data found, symbol may be delisted")
    if "period1" in params:
        first, last = (dt.datetime.fromtimestamp(int(params[name]), dt.UTC).date() for name in ("period1", "period2"))
        bars = bars.between(first, last - dt.timedelta(days=1))
    else:
        bars = bars.before(
            bars.date[-1].astype(dt.date) + dt.timedelta(days=1), _RANGES.get(params.get("range", ""), len(bars))
        )
    if params.get("interval") != "1d":
        return _problem("This simulator has daily bars only", "Bad Request", 422)
    return as_json({"chart": {"result": [_result(symbol, bars)], "error": None}})


def _problem(description: str, code: str = "Not Found", status: int = 404) -> Answer:
    return as_json({"chart": {"result": None, "error": {"code": code, "description": description}}}, status)


def _result(symbol: str, bars: bundle.Bars) -> dict[str, object]:
    stamps = (bars.date.astype("datetime64[s]").astype(np.int64) + _OPEN_UTC).tolist()
    adjusted = np.where(np.isnan(bars.adj_close), bars.close, bars.adj_close)
    quote = {
        "open": bars.open.tolist(),
        "high": bars.high.tolist(),
        "low": bars.low.tolist(),
        "close": bars.close.tolist(),
        "volume": bars.volume.tolist(),
    }
    meta = {
        "symbol": symbol,
        "currency": "USD",
        "exchangeName": "SIM",
        "instrumentType": "EQUITY",
        "exchangeTimezoneName": _ZONE,
        "timezone": "EST",
        "gmtoffset": -18_000,
        "dataGranularity": "1d",
        "validRanges": [*_RANGES, "ytd", "max"],
    }
    result: dict[str, object] = {"meta": meta, "indicators": {"quote": [{}], "adjclose": [{}]}}
    if len(bars):
        result |= {"timestamp": stamps, "indicators": {"quote": [quote], "adjclose": [{"adjclose": adjusted.tolist()}]}}
    return result
