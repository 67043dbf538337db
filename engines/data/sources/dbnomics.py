"""DBnomics: series of the world's statistical offices, as they publish them."""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec
import numpy as np

from engines.data.sources.connector import Exchange, HttpSource, Provider, Rows, days, select, words
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.errors import BadReply, BadRequest, NotFound
from engines.data.sources.http import Reply
from engines.data.sources.limiter import Limit
from engines.data.sources.retry import Patience
from engines.data.sources.source import Request

NAME, TITLE = "dbnomics", "DBnomics"
_PAGE = 1000  # series a page, the source's own most


class _Series(msgspec.Struct, frozen=True):
    provider_code: str
    dataset_code: str
    series_code: str
    period: list[str]
    period_start_day: list[str]
    value: list[float | str]


class _Page(msgspec.Struct, frozen=True):
    num_found: int
    docs: list[_Series]


class _Found(msgspec.Struct, frozen=True):
    series: _Page


class _Error(msgspec.Struct, frozen=True):
    message: str


class _Problem(msgspec.Struct, frozen=True):
    errors: list[_Error] | None = None


def check(reply: Reply) -> None:
    """The errors in `errors`, which also come with status 200.

    Raises:
        SourceError: there is one.
    """
    if reply.status in (429,) or reply.status >= 500 or reply.html:
        return
    errors = reply.json(_Problem).errors
    if not errors:
        return
    text = "; ".join(error.message for error in errors)
    if reply.status == 404 or "not found" in text.lower() or "could not find" in text.lower():
        raise NotFound(NAME, f"{TITLE} does not have this series.", text, "Check provider/dataset/series.")
    if reply.status >= 400:
        raise BadRequest(NAME, f"{TITLE} refuses the request.", text)
    raise BadReply(NAME, f"{TITLE} answers with errors.", text)


def series(exchange: Exchange, request: Request) -> Rows:
    """Observations of one `provider/dataset/series`, or of several separated by commas; "NA" is NaN."""
    ids = request.key.split(",")
    if any(not all(parts) or len(parts) != 3 for parts in (each.split("/") for each in ids)):
        raise BadRequest(NAME, f"{request.key!r} is no `provider/dataset/series`.", "", "For example: IMF/WEO/USA")
    params = {"observations": "1"}
    path = f"/v22/series/{quote(request.key, safe='/')}"
    if len(ids) > 1:
        path, params["series_ids"] = "/v22/series", request.key
    found: list[_Series] = []
    while True:
        page = exchange.get(path, {**params, "limit": str(_PAGE), "offset": str(len(found))}).json(_Found).series
        found += page.docs
        if not page.docs or len(found) >= page.num_found:
            break
    return select(_rows(found), request)


def _rows(found: list[_Series]) -> Rows:
    for each in found:
        if not len(each.period) == len(each.period_start_day) == len(each.value):
            raise BadReply(NAME, f"{TITLE} sent {each.series_code} with columns that differ in length.")
    values = [value for each in found for value in each.value]
    if strange := {value for value in values if isinstance(value, str)} - {"NA"}:
        raise BadReply(NAME, f"{TITLE} sent a number that is none: {min(strange)[:40]!r}.")
    columns = {
        "date": days(NAME, (day for each in found for day in each.period_start_day)),
        "period": words(period for each in found for period in each.period),
        "series": words(
            f"{each.provider_code}/{each.dataset_code}/{each.series_code}" for each in found for _ in each.period
        ),
        "value": np.array([np.nan if isinstance(value, str) else value for value in values], dtype=np.float64),
    }
    return Rows(columns, {"value": "the series' own"}, "date")


PROVIDER = Provider(
    name=NAME,
    title=TITLE,
    kinds={"series": series},
    probe=Request(kind="series", key="AMECO/ZUTN/EA19.1.0.0.0.ZUTN", limit=5),
    check=check,
    credential=lambda _: None,
    limits=lambda _: (Limit(4, 1.0),),  # unpublished: our own, modest
)


def open_source(endpoint: Endpoint, env: Mapping[str, str], patience: Patience) -> HttpSource:
    """The connector; see `registry`."""
    return HttpSource(PROVIDER, endpoint, env, patience)
