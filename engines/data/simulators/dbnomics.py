"""DBnomics' protocol: pages of series, missing values as "NA", errors in `errors`."""

from functools import cache

import numpy as np

from engines.data.simulators.http_server import Allowance, Answer, Ask, as_json
from engines.wire import bundle

PROBED = "AMECO/ZUTN/EA19.1.0.0.0.ZUTN"  # the series that a probe asks the real one for
_MOST = 1000


class DBnomics:
    """Yearly mean closes of the bundle's series as `SIM/CLOSE/<symbol>`; the year before the first is "NA"."""

    def __init__(self, most: int = _MOST, second: Allowance | None = None) -> None:
        self._most = most  # series a page
        self._second = second or Allowance(50, 1.0)  # unpublished

    def respond(self, ask: Ask) -> Answer:
        """Series and the refusals."""
        if self._second.take() is not None:
            return Answer(b"Too Many Requests", 429, "text/plain", {"Retry-After": "1"})
        path = ask.path.removeprefix("/v22/series").strip("/")
        ids = [path] if path else ask.params.get("series_ids", "").split(",")
        limit, offset = ask.params.get("limit", str(_MOST)), ask.params.get("offset", "0")
        if not (limit.isdecimal() and offset.isdecimal() and 1 <= int(limit) <= _MOST):
            return as_json({"errors": [{"message": "limit must be 1 to 1000"}]}, 400)
        known = _series()
        if missing := [each for each in ids if each not in known]:
            message = f"Could not find the series {', '.join(missing)}"
            if path:
                return as_json({"errors": [{"message": message}]}, 404)
            return as_json({"errors": [{"message": message}], "series": {"num_found": 0, "docs": []}})
        size = min(int(limit), self._most)
        docs = [known[each] for each in ids][int(offset) : int(offset) + size]
        found = {"num_found": len(ids), "limit": size, "offset": int(offset), "docs": docs}
        return as_json({"dataset": {"code": ids[0].split("/")[1]}, "series": found})


@cache
def _series() -> dict[str, dict[str, object]]:
    found = {f"SIM/CLOSE/{info.symbol}": _yearly(info.symbol) for info in bundle.catalog()}
    return found | {
        PROBED: _yearly(bundle.INDEX)
        | dict(zip(("provider_code", "dataset_code", "series_code"), PROBED.split("/"), strict=True))
    }


def _yearly(symbol: str) -> dict[str, object]:
    bars = bundle.bars(symbol)
    years = bars.date.astype("datetime64[Y]")
    unique = np.unique(years)
    periods = [str(unique[0] - 1), *map(str, unique)]
    means: list[float | str] = ["NA", *(round(float(bars.close[years == year].mean()), 4) for year in unique)]
    return {
        "provider_code": "SIM",
        "dataset_code": "CLOSE",
        "series_code": symbol,
        "@frequency": "annual",
        "period": periods,
        "period_start_day": [f"{period}-01-01" for period in periods],
        "value": means,
    }
