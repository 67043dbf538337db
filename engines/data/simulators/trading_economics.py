"""Trading Economics' protocol: lists of rows, 10,000 at most; errors are statuses with a line of text."""

import datetime as dt

import numpy as np

from engines.data.simulators.http_server import Allowance, Answer, Ask, as_json
from engines.wire import bundle

COUNTRY = "united states"
_MOST = 10_000


class TradingEconomics:
    """One country with two indicators out of the bundle's S&P 500: each month's last close, and every day's."""

    def __init__(self, key: str, second: Allowance | None = None) -> None:
        self._key = key
        self._second = second or Allowance(2, 1.0)

    def respond(self, ask: Ask) -> Answer:
        """Histories, a country's indicators and the refusals.  The code of its throttle is undocumented; here 429."""
        key = ask.headers.get("authorization") or ask.params.get("c", "")
        if not key:
            return _refusal(401, "Unauthorized.")
        if key != self._key:
            return _refusal(403, f"Forbidden: {key} has no access.")
        if self._second.take() is not None:
            return _refusal(429, "Too many requests.")
        parts = [part for part in ask.path.lower().split("/") if part]
        if parts == ["country", COUNTRY]:
            return as_json([_latest(name) for name in ("Stock Market", "Stock Market Daily")])
        if len(parts) == 7 and parts[:2] == ["historical", "country"] and parts[2] == COUNTRY:
            return _history(parts[4], parts[5], parts[6])
        return _refusal(404, "Not found.")


def _refusal(status: int, text: str) -> Answer:
    return Answer(text.encode(), status, "text/plain")


def _values(indicator: str) -> tuple[list[dt.date], list[float]] | None:
    bars = bundle.bars(bundle.INDEX)
    index = np.arange(len(bars))
    if indicator == "stock market":
        months = bars.date.astype("datetime64[M]")
        index = np.flatnonzero(np.append(months[1:] != months[:-1], True))
    elif indicator != "stock market daily":
        return None
    return bars.date[index].tolist(), bars.close[index].tolist()


def _history(indicator: str, start: str, end: str) -> Answer:
    found = _values(indicator)
    if found is None:
        return _refusal(404, "Not found.")
    rows = [
        {
            "Country": "United States",
            "Category": indicator.title(),
            "DateTime": f"{day}T00:00:00",
            "Value": round(value, 2),
            "Frequency": "Daily" if indicator.endswith("daily") else "Monthly",
        }
        for day, value in zip(*found, strict=True)
        if start <= day.isoformat() <= end
    ]
    return as_json(rows[:_MOST])


def _latest(name: str) -> dict[str, object]:
    found = _values(name.lower())
    assert found is not None  # noqa: S101 # the two that there are
    return {
        "Country": "United States",
        "Category": name,
        "LatestValue": round(found[1][-1], 2),
        "LatestValueDate": f"{found[0][-1]}T00:00:00",
        "Unit": "points",
    }
