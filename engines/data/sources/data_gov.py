"""Data.gov: the search over the catalogue's data sets (version 4)."""

from collections.abc import Mapping

import msgspec

from engines.data.sources import secret
from engines.data.sources.connector import Exchange, HttpSource, Provider, Rows, words
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.errors import AuthError, BadReply, BadRequest, RateLimited
from engines.data.sources.http import Credential, Reply
from engines.data.sources.limiter import Limit
from engines.data.sources.retry import Patience
from engines.data.sources.secret import Secret
from engines.data.sources.source import Request

NAME, TITLE = "data_gov", "Data.gov"
DEMO_KEY = "DEMO_KEY"  # public, for everyone, with a small allowance
_PAGE = 100


class _Dataset(msgspec.Struct, frozen=True):
    title: str
    identifier: str = ""
    publisher: str | None = None
    slug: str | None = None
    keyword: list[str] = []


class _Page(msgspec.Struct, frozen=True):
    results: list[_Dataset]
    after: str | None = None


class _Inner(msgspec.Struct, frozen=True):
    code: str
    message: str


class _Problem(msgspec.Struct, frozen=True):
    error: _Inner


class _Invalid(msgspec.Struct, frozen=True):
    message: str


def check(reply: Reply) -> None:
    """The errors with a code, and the validation error.

    Raises:
        SourceError: the body is one.
    """
    if reply.status == 422:
        raise BadRequest(NAME, f"{TITLE} refuses the request.", reply.json(_Invalid).message)
    if reply.status not in (400, 403, 429) or b'"error"' not in reply.body:
        return
    problem = reply.json(_Problem).error
    if problem.code == "OVER_RATE_LIMIT":
        step = "Ask again in an hour, or set DATA_GOV_API_KEY."
        raise RateLimited(NAME, f"{TITLE}: too many requests.", problem.message, step, retry_after=reply.retry_after)
    if problem.code.startswith("API_KEY_"):
        raise AuthError(NAME, f"{TITLE} refuses the key ({problem.code}).", problem.message, "Check DATA_GOV_API_KEY.")
    raise BadReply(NAME, f"{TITLE} answers {problem.code}.", problem.message)


def search(exchange: Exchange, request: Request) -> Rows:
    """Data sets that match the words, best first.  `extras`: `organisation` (a slug) keeps one publisher's."""
    params = {"q": request.key}
    if "organisation" in request.extras:
        params["org_slug"] = request.extras["organisation"]
    found: list[_Dataset] = []
    after: str | None = None
    while len(found) < request.limit:
        more = {"per_page": str(min(_PAGE, request.limit - len(found)))} | ({} if after is None else {"after": after})
        page = exchange.get("/technology/datagov/v4/search", params | more).json(_Page)
        found += page.results
        if not page.results or not page.after or page.after == after:
            break
        after = page.after
    found = found[: request.limit]
    return Rows(
        {
            "title": words(each.title for each in found),
            "publisher": words(each.publisher for each in found),
            "identifier": words(each.identifier for each in found),
            "slug": words(each.slug for each in found),
            "keywords": words(", ".join(each.keyword) for each in found),
        }
    )


def _own_key(env: Mapping[str, str]) -> bool:
    return env.get("DATA_GOV_API_KEY", "").strip() not in ("", DEMO_KEY)


def _credential(env: Mapping[str, str]) -> Credential:
    key = secret.from_env(NAME, env, "DATA_GOV_API_KEY") if _own_key(env) else Secret(DEMO_KEY)
    return Credential(key, header="X-Api-Key")


def _limits(env: Mapping[str, str]) -> tuple[Limit, ...]:
    return (Limit(1000, 3600.0),) if _own_key(env) else (Limit(30, 3600.0), Limit(50, 86_400.0))


PROVIDER = Provider(
    name=NAME,
    title=TITLE,
    kinds={"search": search},
    probe=Request(kind="search", key="treasury yield", limit=5),
    check=check,
    credential=_credential,
    limits=_limits,
)


def open_source(endpoint: Endpoint, env: Mapping[str, str], patience: Patience) -> HttpSource:
    """The connector; see `registry`."""
    return HttpSource(PROVIDER, endpoint, env, patience)
