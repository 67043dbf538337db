"""SEC EDGAR: a company's filings and reported facts, and the full-text search.  It wants to know who asks."""

import itertools
from collections.abc import Mapping
from urllib.parse import quote

import msgspec
import numpy as np

from engines.data.sources import secret
from engines.data.sources.connector import Exchange, HttpSource, Provider, Rows, days, select, words
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.errors import (
    AuthError,
    BadReply,
    BadRequest,
    NotConfigured,
    NotFound,
    RateLimited,
    Unavailable,
)
from engines.data.sources.http import Credential, Reply
from engines.data.sources.limiter import Limit
from engines.data.sources.retry import Patience
from engines.data.sources.source import Request

NAME, TITLE = "edgar", "SEC EDGAR"
BLOCK_S = 600.0  # an address over the limit is refused for about ten minutes
_MOST_HITS = 10_000  # the search's own most


class _Columns(msgspec.Struct, frozen=True, rename="camel"):
    accession_number: list[str]
    form: list[str]
    filing_date: list[str]


class _OlderPage(msgspec.Struct, frozen=True):
    name: str


class _Filings(msgspec.Struct, frozen=True):
    recent: _Columns
    files: list[_OlderPage] = []


class _Submissions(msgspec.Struct, frozen=True):
    name: str
    filings: _Filings


class _Fact(msgspec.Struct, frozen=True):
    end: str
    val: float
    accn: str
    form: str
    filed: str
    fy: int | None = None
    fp: str | None = None


class _Concept(msgspec.Struct, frozen=True):
    units: dict[str, list[_Fact]]


class _Facts(msgspec.Struct, frozen=True, rename={"entity": "entityName"}):
    entity: str
    facts: dict[str, dict[str, _Concept]]


class _Company(msgspec.Struct, frozen=True):
    cik_str: int
    ticker: str


class _Document(msgspec.Struct, frozen=True):
    file_date: str
    form: str = ""
    display_names: list[str] = []


class _Hit(msgspec.Struct, frozen=True, rename={"id": "_id", "source": "_source"}):
    id: str
    source: _Document


class _Total(msgspec.Struct, frozen=True):
    value: int


class _Hits(msgspec.Struct, frozen=True):
    total: _Total
    hits: list[_Hit]


class _Search(msgspec.Struct, frozen=True):
    hits: _Hits


def check(reply: Reply) -> None:
    """EDGAR refuses with pages for people, whatever their status.

    Raises:
        SourceError: the body is one.
    """
    if not reply.html:
        return
    text = reply.text()
    lower = reply.body.lower()
    if b"undeclared automated tool" in lower:
        raise AuthError(NAME, f"{TITLE} does not accept the identity.", text, "Check EDGAR_IDENTITY: Name email.")
    if b"rate threshold" in lower or b"too many requests" in lower or reply.status == 429:
        wait = BLOCK_S if reply.retry_after is None else reply.retry_after
        what = f"{TITLE}: more than 10 requests a second from this address."
        raise RateLimited(NAME, what, text, "Ask again in ten minutes.", retry_after=wait)
    if reply.status == 404:
        raise NotFound(NAME, f"{TITLE} does not have what was asked.", f"HTTP 404: {text}")
    if reply.status == 403:
        raise AuthError(NAME, f"{TITLE} refuses the request.", f"HTTP 403: {text}", "Check EDGAR_IDENTITY: Name email.")
    if reply.status >= 500:
        raise Unavailable(
            NAME, f"{TITLE} cannot at the moment.", f"HTTP {reply.status}: {text}", retry_after=reply.retry_after
        )
    raise BadReply(NAME, f"{TITLE} sent a page instead of JSON.", f"HTTP {reply.status}: {text}")


def cik_of(exchange: Exchange, key: str) -> str:
    """The ten digits of a CIK, which `key` is, or whose ticker it is.

    Raises:
        NotFound: no company has that ticker.
    """
    if key.isascii() and key.isdigit() and len(key) <= 10:
        return key.zfill(10)
    companies = exchange.get("/files/company_tickers.json", service="www").json(dict[str, _Company])
    for company in companies.values():
        if company.ticker == key.upper():
            return str(company.cik_str).zfill(10)
    raise NotFound(NAME, f"{TITLE} knows no ticker {key!r}.", "", "Give the company's CIK instead.")


def filings(exchange: Exchange, request: Request) -> Rows:
    """Filings of a company, newest `limit` of them; older pages are asked for while they are needed."""
    cik = cik_of(exchange, request.key)
    found = exchange.get(f"/submissions/CIK{cik}.json").json(_Submissions)
    pages = [found.filings.recent]
    older = iter(found.filings.files)
    while not _enough(pages, request):
        page = next(older, None)
        if page is None:
            break
        pages.append(exchange.get(f"/submissions/{quote(page.name, safe='')}").json(_Columns))
    if any(len({len(page.accession_number), len(page.form), len(page.filing_date)}) != 1 for page in pages):
        raise BadReply(NAME, f"{TITLE} sent filings whose columns differ in length.")
    chain = itertools.chain.from_iterable
    columns = {
        "filed": days(NAME, chain(page.filing_date for page in pages)),
        "form": words(chain(page.form for page in pages)),
        "accession": words(chain(page.accession_number for page in pages)),
    }
    return select(Rows(columns, {}, "filed"), request)


def _enough(pages: list[_Columns], request: Request) -> bool:
    """Whether pages, newest first, hold all that was asked for."""
    end = None if request.end is None else request.end.isoformat()
    dates = [day for page in pages for day in page.filing_date if end is None or day <= end]
    begun = request.start is not None and bool(dates) and min(dates) < request.start.isoformat()
    return len(dates) >= request.limit or begun


def facts(exchange: Exchange, request: Request) -> Rows:
    """Reported values.  `extras`: `taxonomy` (us-gaap), `concept` (all) and `unit` (all) choose among them."""
    cik = cik_of(exchange, request.key)
    found = exchange.get(f"/api/xbrl/companyfacts/CIK{cik}.json").json(_Facts)
    chosen = {name: request.extras.get(name) for name in ("taxonomy", "concept", "unit")}
    rows = [
        (concept, unit, fact)
        for taxonomy, concepts in found.facts.items()
        if chosen["taxonomy"] in (None, taxonomy)
        for concept, values in concepts.items()
        if chosen["concept"] in (None, concept)
        for unit, each in values.units.items()
        if chosen["unit"] in (None, unit)
        for fact in each
    ]
    columns = {
        "end": days(NAME, (fact.end for _, _, fact in rows)),
        "concept": words(concept for concept, _, _ in rows),
        "value": np.array([fact.val for _, _, fact in rows], dtype=np.float64),
        "unit": words(unit for _, unit, _ in rows),
        "form": words(fact.form for _, _, fact in rows),
        "period": words(None if fact.fp is None else f"{fact.fp} {fact.fy}" for _, _, fact in rows),
        "filed": days(NAME, (fact.filed for _, _, fact in rows)),
        "accession": words(fact.accn for _, _, fact in rows),
    }
    return select(Rows(columns, {"value": "in `unit`"}, "end"), request)


def search(exchange: Exchange, request: Request) -> Rows:
    """Filings whose text holds the words, from 2001 on.  `extras`: `forms` and `ciks`, separated by commas."""
    params = {"q": request.key} | {name: request.extras[name] for name in ("forms", "ciks") if name in request.extras}
    if (request.start is None) != (request.end is None):
        raise BadRequest(NAME, f"{TITLE} searches between two dates.", "", "Give both the first and the last day.")
    if request.start is not None and request.end is not None:
        params |= {"dateRange": "custom", "startdt": request.start.isoformat(), "enddt": request.end.isoformat()}
    hits: list[_Hit] = []
    while len(hits) < min(request.limit, _MOST_HITS):
        page = exchange.get("/LATEST/search-index", {**params, "from": str(len(hits))}, "search").json(_Search).hits
        hits += page.hits
        if not page.hits or len(hits) >= page.total.value:
            break
    hits = hits[: request.limit]
    columns = {
        "filed": days(NAME, (hit.source.file_date for hit in hits)),
        "form": words(hit.source.form for hit in hits),
        "names": words("; ".join(hit.source.display_names) for hit in hits),
        "document": words(hit.id for hit in hits),
    }
    return Rows(columns, {}, "filed")


def _credential(env: Mapping[str, str]) -> Credential:
    identity = secret.from_env(NAME, env, "EDGAR_IDENTITY")
    if "@" not in identity.reveal() or " " not in identity.reveal():
        why = f"{TITLE} asks every client to say who it is."
        raise NotConfigured(NAME, "EDGAR_IDENTITY is no `Name email`.", why, "Set it to a name and an address.")
    return Credential(identity, header="User-Agent")


PROVIDER = Provider(
    name=NAME,
    title=TITLE,
    kinds={"filings": filings, "facts": facts, "search": search},
    probe=Request(kind="filings", key="320193", limit=5),  # Apple
    check=check,
    credential=_credential,
    limits=lambda _: (Limit(10, 1.0),),
)


def open_source(endpoint: Endpoint, env: Mapping[str, str], patience: Patience) -> HttpSource:
    """The connector; see `registry`."""
    return HttpSource(PROVIDER, endpoint, env, patience)
