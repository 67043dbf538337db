"""SEC EDGAR's protocol: whoever does not say who he is, or asks too fast, gets a page instead of JSON."""

import datetime as dt
from dataclasses import dataclass
from functools import cache

import numpy as np

from engines.data.simulators.http_server import Allowance, Answer, Ask, as_json, as_page
from engines.wire import bundle

CIKS = {"AAPL": 320193, "AMZN": 1018724, "IBM": 51143, "MSFT": 789019, "NFLX": 1065280, "NVDA": 1045810}
_RECENT = 20  # filings in the first document; the real one has a thousand
_PAGE = 10  # hits of a search


@dataclass(frozen=True)
class _Filing:
    accession: str
    form: str
    filed: dt.date
    end: dt.date
    assets: int


class Edgar:
    """Quarterly reports of companies whose bars the bundle holds, each some weeks after the quarter's end."""

    def __init__(self, second: Allowance | None = None) -> None:
        self._second = second or Allowance(10, 1.0)

    def respond(self, ask: Ask) -> Answer:
        """Tickers, submissions, facts, the search and the refusals."""
        if "@" not in ask.headers.get("user-agent", ""):
            return as_page("SEC.gov", "Your Request Originates from an Undeclared Automated Tool", 403)
        if self._second.take() is not None:
            return as_page("SEC.gov", "Request Rate Threshold Exceeded", 429)
        if ask.service == "www" and ask.path == "/files/company_tickers.json":
            return as_json(
                {
                    str(i): {"cik_str": cik, "ticker": symbol, "title": symbol}
                    for i, (symbol, cik) in enumerate(CIKS.items())
                }
            )
        if ask.service == "search" and ask.path == "/LATEST/search-index":
            return _search(dict(ask.params))
        for symbol, cik in CIKS.items():
            if ask.service == "api" and f"CIK{cik:010d}" in ask.path:
                return _document(ask.path, symbol, cik)
        return _missing()


def _missing() -> Answer:
    return Answer(b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', 404, "application/xml")


def _document(path: str, symbol: str, cik: int) -> Answer:
    filings = _filings(symbol, cik)
    pages = [filings[i : i + _RECENT] for i in range(0, len(filings), _RECENT)]
    names = [f"CIK{cik:010d}-submissions-{number:03d}.json" for number in range(1, len(pages))]
    if path == f"/submissions/CIK{cik:010d}.json":
        files = [{"name": name, "filingCount": len(page)} for name, page in zip(names, pages[1:], strict=True)]
        return as_json(
            {
                "cik": str(cik),
                "name": f"{symbol} (simulated)",
                "filings": {"recent": _columns(pages[0]), "files": files},
            }
        )
    for name, page in zip(names, pages[1:], strict=True):
        if path == f"/submissions/{name}":
            return as_json(_columns(page))
    if path == f"/api/xbrl/companyfacts/CIK{cik:010d}.json":
        values = [_fact(filing) for filing in reversed(filings)]
        facts = {"us-gaap": {"Assets": {"label": "Assets", "units": {"USD": values}}}}
        return as_json({"cik": cik, "entityName": f"{symbol} (simulated)", "facts": facts})
    return _missing()


@cache
def _filings(symbol: str, cik: int) -> tuple[_Filing, ...]:
    """Newest first.  "Assets" are the quarter's last close times a thousand million: a number to compare, no fact."""
    bars = bundle.bars(symbol)
    months = bars.date.astype("datetime64[M]")
    ends = np.flatnonzero((months[1:] != months[:-1]) & (months[:-1].astype(int) % 3 == 2))
    found = []
    for number, i in enumerate(ends):
        end = bars.date[i].astype(dt.date)
        filed = bars.date[min(int(i) + 25, len(bars) - 1)].astype(dt.date)
        form = "10-K" if end.month == 12 else "10-Q"
        accession = f"{cik:010d}-{filed:%y}-{number:06d}"
        found.append(_Filing(accession, form, filed, end, round(float(bars.close[i]) * 1e9)))
    return tuple(reversed(found))


def _columns(filings: tuple[_Filing, ...]) -> dict[str, list[str]]:
    return {
        "accessionNumber": [each.accession for each in filings],
        "form": [each.form for each in filings],
        "filingDate": [each.filed.isoformat() for each in filings],
    }


def _fact(filing: _Filing) -> dict[str, object]:
    return {
        "end": filing.end.isoformat(),
        "val": filing.assets,
        "accn": filing.accession,
        "fy": filing.end.year,
        "fp": "FY" if filing.form == "10-K" else f"Q{(filing.end.month + 2) // 3}",
        "form": filing.form,
        "filed": filing.filed.isoformat(),
    }


def _search(params: dict[str, str]) -> Answer:
    """Filings of the companies whose symbol is among the words."""
    wanted = {word.strip('"').upper() for word in params.get("q", "").split()}
    forms = set(params["forms"].split(",")) if params.get("forms") else None
    first, last = params.get("startdt", ""), params.get("enddt", "9999")
    hits = [
        {
            "_id": f"{each.accession}:{symbol.lower()}.htm",
            "_source": {
                "ciks": [f"{cik:010d}"],
                "display_names": [f"{symbol} (simulated)"],
                "form": each.form,
                "file_date": each.filed.isoformat(),
            },
        }
        for symbol, cik in CIKS.items()
        if symbol in wanted
        for each in _filings(symbol, cik)
        if (forms is None or each.form in forms) and first <= each.filed.isoformat() <= last
    ]
    begin = int(params.get("from", "0"))
    return as_json({"hits": {"total": {"value": len(hits), "relation": "eq"}, "hits": hits[begin : begin + _PAGE]}})
