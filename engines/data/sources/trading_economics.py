"""Trading Economics: a country's indicators, now and in the past."""

import datetime as dt
from collections.abc import Mapping
from urllib.parse import quote

import msgspec
import numpy as np

from engines.data.sources import secret
from engines.data.sources.connector import Exchange, HttpSource, Provider, Rows, days, select, words
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.errors import AuthError, BadRequest, NotConfigured
from engines.data.sources.http import Credential, Reply
from engines.data.sources.limiter import Limit
from engines.data.sources.retry import Patience
from engines.data.sources.source import Request, utc_now

NAME, TITLE = "trading_economics", "Trading Economics"
_MOST = 10_000  # rows a call
_FIRST = dt.date(1900, 1, 1)
_SAMPLE_LOGIN = "guest:guest"  # said to answer the same few rows whatever is asked


class _Observation(msgspec.Struct, frozen=True, rename="pascal"):
    country: str
    category: str
    date_time: str
    value: float


class _Indicator(msgspec.Struct, frozen=True, rename="pascal"):
    country: str
    category: str
    latest_value: float | None = None
    latest_value_date: str = ""
    unit: str = ""


def check(reply: Reply) -> None:
    """Only the statuses are documented; 401 and 403 both mean the key or its plan.

    Raises:
        AuthError: the key does not open this.
    """
    if reply.status in (401, 403):
        why = f"HTTP {reply.status}: {reply.text()}"
        raise AuthError(
            NAME, f"{TITLE} refuses the key, or its plan lacks this.", why, "Check TRADING_ECONOMICS_API_KEY."
        )


def series(exchange: Exchange, request: Request) -> Rows:
    """An indicator's history.  The key is `country/indicator`."""
    country, slash, indicator = request.key.partition("/")
    if not (country and slash and indicator):
        raise BadRequest(NAME, f"{request.key!r} is no `country/indicator`.", "", "For example: united states/gdp")
    start, end = request.start or _FIRST, request.end or utc_now().date()
    path = f"/historical/country/{quote(country, safe='')}/indicator/{quote(indicator, safe='')}"
    found: list[_Observation] = []
    while True:
        page = exchange.get(f"{path}/{start}/{end}", {"f": "json"}).json(list[_Observation])
        found += page
        dates = days(NAME, (each.date_time[:10] for each in page))
        if len(page) < _MOST or dates.max() >= np.datetime64(end, "D"):
            break
        start = dates.max().astype(dt.date) + dt.timedelta(days=1)
    columns = {
        "date": days(NAME, (each.date_time[:10] for each in found)),
        "value": np.array([each.value for each in found], dtype=np.float64),
    }
    return select(Rows(columns, {"value": "the indicator's own"}, "date"), request)


def country(exchange: Exchange, request: Request) -> Rows:
    """The latest value of every indicator of a country."""
    found = exchange.get(f"/country/{quote(request.key, safe='')}", {"f": "json"}).json(list[_Indicator])
    found = found[: request.limit]
    latest = [np.nan if each.latest_value is None else each.latest_value for each in found]
    columns = {
        "indicator": words(each.category for each in found),
        "date": days(NAME, (each.latest_value_date[:10] for each in found)),
        "value": np.array(latest, dtype=np.float64),
        "unit": words(each.unit for each in found),
    }
    return Rows(columns, {"value": "in `unit`"}, "date")


def _credential(env: Mapping[str, str]) -> Credential:
    key = secret.from_env(NAME, env, "TRADING_ECONOMICS_API_KEY")
    if key.reveal().lower() == _SAMPLE_LOGIN:
        why = "The sample login answers the same rows whatever is asked; they are no data."
        raise NotConfigured(
            NAME, "TRADING_ECONOMICS_API_KEY holds the sample login.", why, "Set it to your key:secret."
        )
    return Credential(key, header="Authorization")


PROVIDER = Provider(
    name=NAME,
    title=TITLE,
    kinds={"series": series, "country": country},
    probe=Request(kind="country", key="united states", limit=5),
    check=check,
    credential=_credential,
    limits=lambda _: (Limit(2, 1.0),),
)


def open_source(endpoint: Endpoint, env: Mapping[str, str], patience: Patience) -> HttpSource:
    """The connector; see `registry`."""
    return HttpSource(PROVIDER, endpoint, env, patience)
