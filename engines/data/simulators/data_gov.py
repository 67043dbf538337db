"""Data.gov's search, version 4: errors have codes, a page names the next one."""

from functools import cache

from engines.data.simulators.http_server import Allowance, Answer, Ask, as_json
from engines.wire import bundle

DEMO_KEY = "DEMO_KEY"


class DataGov:
    """A catalogue of one data set a year for each series of the bundle, and one for each year's Treasury yields."""

    def __init__(self, key: str, own: Allowance | None = None, demo: Allowance | None = None) -> None:
        self._allowances = {key: own or Allowance(1000, 3600.0), DEMO_KEY: demo or Allowance(30, 3600.0)}

    def respond(self, ask: Ask) -> Answer:
        """Search results and the refusals."""
        if ask.path != "/technology/datagov/v4/search":
            return Answer(b"Not Found", 404, "text/plain")
        key = ask.headers.get("x-api-key", "")
        if not key:
            return _problem(403, "API_KEY_MISSING", "No api_key was supplied.")
        if key not in self._allowances:
            return _problem(403, "API_KEY_INVALID", "An invalid api_key was supplied.")
        wait = self._allowances[key].take()
        if wait is not None:
            headers = {"Retry-After": str(int(wait) + 1)}
            return _problem(429, "OVER_RATE_LIMIT", "You have exceeded your rate limit.", headers)
        size, after = ask.params.get("per_page", "10"), ask.params.get("after", "0")
        if not (size.isdecimal() and 1 <= int(size) <= 100 and after.isdecimal()):
            return as_json({"message": "Validation error", "errors": {"per_page": ["1 to 100"]}}, 422)
        return _search(ask.params.get("q", ""), ask.params.get("org_slug"), int(size), int(after))


def _problem(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    return as_json({"error": {"code": code, "message": message}}, status, headers)


@cache
def _catalogue() -> tuple[dict[str, object], ...]:
    found = [
        _dataset(f"Daily Treasury yield curve rates {year}", "sim-treasury", ["treasury", "yield"])
        for year in range(1990, 2021)
    ]
    for info in bundle.catalog():
        years = range(info.first.year, info.last.year + 1)
        found += [
            _dataset(f"Daily prices of {info.symbol} {year}", "sim-prices", ["prices", info.symbol]) for year in years
        ]
    return tuple(found)


def _dataset(title: str, publisher: str, keywords: list[str]) -> dict[str, object]:
    slug = title.lower().replace(" ", "-")
    return {"title": title, "publisher": publisher, "identifier": f"sim:{slug}", "slug": slug, "keyword": keywords}


def _search(words: str, publisher: str | None, size: int, after: int) -> Answer:
    wanted = words.lower().split()
    found = [
        each
        for each in _catalogue()
        if (publisher is None or each["publisher"] == publisher)
        and all(word in str(each["title"]).lower() for word in wanted)
    ]
    reply: dict[str, object] = {"sort": "relevance", "results": found[after : after + size]}
    if after + size < len(found):
        reply["after"] = str(after + size)
    return as_json(reply)
