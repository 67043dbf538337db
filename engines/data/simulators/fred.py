"""FRED's protocol: errors are `error_code` and `error_message`, a day without a value is "."."""

import re

import numpy as np

from engines.data.simulators.http_server import Allowance, Answer, Ask, as_json
from engines.wire import bundle

SERIES = {"SP500": "SPX", "NASDAQCOM": "IXIC"}  # ours by theirs


class Fred:
    """Index closes of the bundle on every weekday; holidays have no value."""

    def __init__(self, key: str, minute: Allowance | None = None) -> None:
        self._key = key
        self._minute = minute or Allowance(120, 60.0)

    def respond(self, ask: Ask) -> Answer:
        """Observations and the refusals."""
        if ask.path != "/fred/series/observations":
            return Answer(b"Not Found", 404, "text/plain")
        if (wait := self._minute.take()) is not None:
            text = "Too Many Requests.  Exceeded Rate Limit"
            return as_json({"error_code": 429, "error_message": text}, 429, {"Retry-After": str(int(wait) + 1)})
        key = ask.params.get("api_key", "")
        if not re.fullmatch("[a-z0-9]{32}", key):
            return _bad("The value for variable api_key is not a 32 character alpha-numeric lower-case string.")
        if key != self._key:
            return _bad("The value for variable api_key is not registered.")
        if ask.params.get("file_type") != "json":
            return _bad("This simulator has no other file_type than json.")
        if ask.params.get("series_id") not in SERIES:
            return _bad("The series does not exist.")
        return _observations(ask.params["series_id"], dict(ask.params))


def _bad(text: str) -> Answer:
    return as_json({"error_code": 400, "error_message": f"Bad Request.  {text}"}, 400)


def _observations(series: str, params: dict[str, str]) -> Answer:
    try:
        limit, offset = int(params.get("limit", "100000")), int(params.get("offset", "0"))
        first, last = (
            np.datetime64(params[f"observation_{end}"], "D") if f"observation_{end}" in params else None
            for end in ("start", "end")
        )
    except ValueError:
        return _bad("Variable limit, offset or a date is not one.")
    if not 1 <= limit <= 100_000 or offset < 0:
        return _bad("Variable limit is not between 1 and 100000.")
    found = bundle.bars(SERIES[series])
    closes = dict(zip(found.date.tolist(), found.close.tolist(), strict=True))
    days = np.arange(found.date[0], found.date[-1] + 1)
    days = days[np.is_busday(days)]
    days = days[(days >= (first or days[0])) & (days <= (last or days[-1]))]
    ordered = days[::-1] if params.get("sort_order") == "desc" else days
    today = str(found.date[-1])
    rows = [
        {
            "realtime_start": today,
            "realtime_end": today,
            "date": day.isoformat(),
            "value": f"{closes[day]:.2f}" if day in closes else ".",
        }
        for day in ordered[offset : offset + limit].tolist()
    ]
    return as_json({"count": len(days), "offset": offset, "limit": limit, "observations": rows})
