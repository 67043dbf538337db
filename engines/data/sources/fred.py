"""FRED, the Federal Reserve Bank of St. Louis: observations of a series."""

from collections.abc import Mapping

import msgspec

from engines.data.sources import secret
from engines.data.sources.connector import Exchange, HttpSource, Provider, Rows, days, numbers, select
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.errors import AuthError, BadRequest, NotFound, RateLimited
from engines.data.sources.http import Credential, Reply
from engines.data.sources.limiter import Limit
from engines.data.sources.retry import Patience
from engines.data.sources.source import Request

NAME, TITLE = "fred", "FRED"
_PAGE = 100_000  # the source's own most
_MISSING = frozenset({"."})


class _Observation(msgspec.Struct, frozen=True):
    date: str
    value: str


class _Page(msgspec.Struct, frozen=True):
    count: int
    observations: list[_Observation]


class _Problem(msgspec.Struct, frozen=True):
    error_message: str
    error_code: int = 0


def check(reply: Reply) -> None:
    """The errors with `error_code` and `error_message`.

    Raises:
        SourceError: the body is one.
    """
    if reply.status < 400 or reply.status >= 500 or b"error_message" not in reply.body:
        return
    problem = reply.json(_Problem)
    text, lower = problem.error_message, problem.error_message.lower()
    if reply.status == 429 or problem.error_code == 429:
        raise RateLimited(NAME, f"{TITLE}: too many requests.", text, "Ask again.", retry_after=reply.retry_after)
    if "api_key" in lower:
        raise AuthError(NAME, f"{TITLE} refuses the key.", text, "Check FRED_API_KEY.")
    if "does not exist" in lower:
        raise NotFound(NAME, f"{TITLE} does not have this series.", text, "Check the series' id.")
    raise BadRequest(NAME, f"{TITLE} refuses the request.", text)


def series(exchange: Exchange, request: Request) -> Rows:
    """Observations, newest `limit` of them; a missing one (".") is NaN.

    `extras`: FRED's own `units` (lin, chg, pch, ...) and `frequency` (d, w, m, q, a).
    """
    params = {"series_id": request.key, "file_type": "json", "sort_order": "desc"}
    params |= {name: request.extras[name] for name in ("units", "frequency") if name in request.extras}
    if request.start is not None:
        params["observation_start"] = request.start.isoformat()
    if request.end is not None:
        params["observation_end"] = request.end.isoformat()
    found: list[_Observation] = []
    while len(found) < request.limit:
        size = min(_PAGE, request.limit - len(found))
        page = exchange.get("/fred/series/observations", {**params, "limit": str(size), "offset": str(len(found))})
        observed = page.json(_Page)
        found += observed.observations
        if not observed.observations or len(found) >= observed.count:
            break
    columns = {
        "date": days(NAME, (each.date for each in found)),
        "value": numbers(NAME, (each.value for each in found), _MISSING),
    }
    return select(Rows(columns, {"value": request.extras.get("units", "the series' own")}, "date"), request)


def _credential(env: Mapping[str, str]) -> Credential:
    return Credential(secret.from_env(NAME, env, "FRED_API_KEY"), param="api_key")


PROVIDER = Provider(
    name=NAME,
    title=TITLE,
    kinds={"series": series},
    probe=Request(kind="series", key="SP500", limit=5),
    check=check,
    credential=_credential,
    limits=lambda _: (Limit(120, 60.0),),
)


def open_source(endpoint: Endpoint, env: Mapping[str, str], patience: Patience) -> HttpSource:
    """The connector; see `registry`."""
    return HttpSource(PROVIDER, endpoint, env, patience)
