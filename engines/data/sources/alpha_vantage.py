"""Alpha Vantage: daily bars and company overviews.  It answers its errors with status 200."""

from collections.abc import Mapping

import msgspec

from engines.data.sources import secret
from engines.data.sources.connector import Exchange, HttpSource, Provider, Rows, days, numbers, select, words
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.errors import (
    AuthError,
    BadReply,
    NoData,
    NotFound,
    PremiumRequired,
    QuotaExhausted,
    RateLimited,
)
from engines.data.sources.http import Credential, Reply
from engines.data.sources.limiter import Limit
from engines.data.sources.retry import Patience
from engines.data.sources.source import Request

NAME, TITLE = "alpha_vantage", "Alpha Vantage"


class _Problem(
    msgspec.Struct, frozen=True, rename={"error": "Error Message", "information": "Information", "note": "Note"}
):
    error: str = ""
    information: str = ""
    note: str = ""


class _Day(
    msgspec.Struct,
    frozen=True,
    rename={"open": "1. open", "high": "2. high", "low": "3. low", "close": "4. close", "volume": "5. volume"},
):
    open: str
    high: str
    low: str
    close: str
    volume: str


class _Daily(msgspec.Struct, frozen=True, rename={"days": "Time Series (Daily)"}):
    days: dict[str, _Day]


def check(reply: Reply) -> None:
    """The errors that come as an object with one text in it.

    Raises:
        SourceError: the body is one.
    """
    if reply.status != 200:
        return
    if reply.body.strip() == b"{}":
        raise NoData(NAME, f"{TITLE} has nothing for this request.", "It answered with an empty object.")
    problem = reply.json(_Problem)
    if problem.error:
        if "apikey" in problem.error.lower():
            raise AuthError(NAME, f"{TITLE} refuses the key.", problem.error, "Check ALPHAVANTAGE_API_KEY.")
        raise NotFound(NAME, f"{TITLE} does not have what was asked.", problem.error, "Check the symbol.")
    if text := problem.information or problem.note:
        _refuse(text)


def _refuse(text: str) -> None:
    """Raise what an "Information" or a "Note" says.  The daily text also names the premium plans: it is tried first."""
    lower = text.lower()
    if "per day" in lower:
        raise QuotaExhausted(NAME, f"{TITLE}: the day's requests are used up.", text, "Ask again tomorrow.")
    if "per second" in lower:
        raise RateLimited(NAME, f"{TITLE}: one request a second.", text, "Ask again in a second.", retry_after=1.0)
    if "per minute" in lower or "call frequency" in lower:
        raise RateLimited(NAME, f"{TITLE}: too many requests.", text, "Ask again in a minute.", retry_after=60.0)
    if "premium" in lower:
        raise PremiumRequired(NAME, f"{TITLE}: this needs a premium plan.", text, "Ask for the last 100 days.")
    raise AuthError(NAME, f"{TITLE} does not serve this key.", text, "Check ALPHAVANTAGE_API_KEY.")


def bars(exchange: Exchange, request: Request) -> Rows:
    """Daily bars as traded (not adjusted): the last 100 days on the free plan.

    `extras`: `size=full` asks for the whole history (premium).
    """
    reply = exchange.get(
        "/query",
        {
            "function": "TIME_SERIES_DAILY",
            "symbol": request.key,
            "outputsize": request.extras.get("size", "compact"),
            "datatype": "json",
        },
    )
    found = reply.json(_Daily).days
    columns = {"date": days(NAME, found)}
    for field in ("open", "high", "low", "close", "volume"):
        columns[field] = numbers(NAME, (getattr(day, field) for day in found.values()))
    units = dict.fromkeys(("open", "high", "low", "close"), "currency of the listing, as traded")
    return select(Rows(columns, {**units, "volume": "shares"}, "date"), request)


def overview(exchange: Exchange, request: Request) -> Rows:
    """A company's facts: names and values, all of them texts."""
    reply = exchange.get("/query", {"function": "OVERVIEW", "symbol": request.key})
    found = reply.json(dict[str, str])
    if "Symbol" not in found:
        raise BadReply(NAME, f"{TITLE} sent an overview without a symbol.", reply.text())
    return Rows({"name": words(found), "value": words(found.values())})


def _credential(env: Mapping[str, str]) -> Credential:
    return Credential(secret.from_env(NAME, env, "ALPHAVANTAGE_API_KEY"), param="apikey")


PROVIDER = Provider(
    name=NAME,
    title=TITLE,
    kinds={"bars": bars, "overview": overview},
    probe=Request(kind="bars", key="IBM", limit=5),
    check=check,
    credential=_credential,
    limits=lambda _: (Limit(1, 1.0), Limit(25, 86_400.0)),  # the free plan's
)


def open_source(endpoint: Endpoint, env: Mapping[str, str], patience: Patience) -> HttpSource:
    """The connector; see `registry`."""
    return HttpSource(PROVIDER, endpoint, env, patience)
