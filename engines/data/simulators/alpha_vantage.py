"""Alpha Vantage's protocol: every error is an object with one text, at status 200; the daily one repeats the key."""

from engines.data.simulators.http_server import Allowance, Answer, Ask, as_json
from engines.wire import bundle
from engines.wire.errors import UnknownName

_COMPACT = 100


class AlphaVantage:
    """The free plan: 25 requests a day, one a second, the last 100 days."""

    def __init__(self, key: str, day: Allowance | None = None, second: Allowance | None = None) -> None:
        self._key = key
        self._day, self._second = day or Allowance(25, 86_400), second or Allowance(1, 1.0)

    def respond(self, ask: Ask) -> Answer:
        """Daily bars, overviews and the refusals."""
        if ask.path != "/query":
            return Answer(b"Not Found", 404, "text/plain")
        key, function, symbol = (ask.params.get(name, "") for name in ("apikey", "function", "symbol"))
        if key != self._key:
            return as_json({"Error Message": "the parameter apikey is invalid or missing."})
        if self._second.take() is not None:
            return as_json(
                {"Information": "Please send fewer requests (1 request per second), or choose a premium plan."}
            )
        if self._day.take() is not None:
            text = f"We have detected your API key as {key}; its limit is 25 requests per day. Premium plans have none."
            return as_json({"Information": text})
        if function == "OVERVIEW":
            return self._overview(symbol)
        if function == "TIME_SERIES_DAILY_ADJUSTED" or ask.params.get("outputsize") == "full":
            return as_json({"Information": "This is a premium feature."})
        if function != "TIME_SERIES_DAILY":
            return as_json({"Error Message": f"This API function ({function}) does not exist."})
        return self._daily(symbol)

    def _daily(self, symbol: str) -> Answer:
        try:
            found = bundle.bars(symbol)
        except UnknownName:
            return as_json({"Error Message": "Invalid API call for TIME_SERIES_DAILY."})
        series = {}
        for i in range(len(found) - 1, max(-1, len(found) - 1 - _COMPACT), -1):
            series[str(found.date[i])] = {
                "1. open": f"{found.open[i]:.4f}",
                "2. high": f"{found.high[i]:.4f}",
                "3. low": f"{found.low[i]:.4f}",
                "4. close": f"{found.close[i]:.4f}",
                "5. volume": str(int(found.volume[i])),
            }
        meta = {"2. Symbol": symbol, "3. Last Refreshed": str(found.date[-1]), "4. Output Size": "Compact"}
        return as_json({"Meta Data": meta, "Time Series (Daily)": series})

    def _overview(self, symbol: str) -> Answer:
        try:
            found = bundle.bars(symbol)
        except UnknownName:
            return as_json({})
        year = found.close[-252:]
        return as_json(
            {
                "Symbol": symbol,
                "Name": f"{symbol} (simulated)",
                "Sector": "None",
                "52WeekHigh": f"{year.max():.2f}",
                "52WeekLow": f"{year.min():.2f}",
            }
        )
