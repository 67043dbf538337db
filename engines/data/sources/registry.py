"""The eight sources by name, in the documented order, and the state of all of them at once.

A source's module has `TITLE` and `open_source(endpoint, env, patience) -> Source`.  It is imported when it is opened;
opening sends nothing and raises nothing for a missing key: `probe` then says NOT_CONFIGURED.
"""

import importlib
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engines.data.sources import endpoint as endpoints
from engines.data.sources.cache import Cache, Cached
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.errors import NoReply, SourceError
from engines.data.sources.retry import Patience
from engines.data.sources.secret import redactor
from engines.data.sources.source import Source, SourceState, failed
from engines.wire.errors import UnknownName
from engines.wire.settings import home

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "ibkr": "Interactive Brokers",
        "alpha_vantage": "Alpha Vantage",
        "fred": "FRED",
        "edgar": "SEC EDGAR",
        "data_gov": "Data.gov",
        "trading_economics": "Trading Economics",
        "dbnomics": "DBnomics",
        "yahoo": "Yahoo Finance",
    }
)
NAMES = tuple(TITLES)


@dataclass(frozen=True)
class Offer:
    """One kind of request that a source knows.  `options`: its extras; `most`: rows of one request; `start`, `end`:
    whether it heeds those dates.
    """

    options: tuple[str, ...] = ()
    most: int = 1_000
    start: bool = True
    end: bool = True


_LONG = 100_000  # rows of a history: FRED's own most
_CONTRACT = ("exchange", "currency")
OFFERS: Mapping[str, Mapping[str, Offer]] = MappingProxyType(
    {
        "ibkr": {
            "bars": Offer(_CONTRACT),
            "trades": Offer(_CONTRACT, end=False),
            "depth": Offer((*_CONTRACT, "rows", "updates", "seconds"), start=False, end=False),
        },
        "alpha_vantage": {"bars": Offer(("size",), _LONG), "overview": Offer(start=False, end=False)},
        "fred": {"series": Offer(("units", "frequency"), _LONG)},
        "edgar": {
            "filings": Offer(most=10_000),
            "facts": Offer(("taxonomy", "concept", "unit"), _LONG),
            "search": Offer(("forms", "ciks"), 10_000),
        },
        "data_gov": {"search": Offer(("organisation",), start=False, end=False)},
        "trading_economics": {"series": Offer(most=_LONG), "country": Offer(start=False, end=False)},
        "dbnomics": {"series": Offer(most=_LONG)},
        "yahoo": {"bars": Offer(("interval",), _LONG)},
    }
)
"""What each source can be asked for, the usual kind first."""


def open_source(name: str, endpoint: Endpoint, env: Mapping[str, str], patience: Patience | None = None) -> Source:
    """A connector; close it when done.

    Raises:
        UnknownName: there is no such source.
    """
    if name not in TITLES:
        raise UnknownName("source", name, NAMES)
    module = importlib.import_module(f"engines.data.sources.{name}")
    source: Source = module.open_source(endpoint, env, patience or Patience())
    return source


def open_cached(name: str, endpoint: Endpoint, env: Mapping[str, str], patience: Patience | None = None) -> Cached:
    """A connector that keeps what it fetched under `<home>/data/cache`; see `cache`.

    Raises:
        UnknownName: there is no such source.
    """
    folder = Cache(home(env) / "data" / "cache")
    return Cached(open_source(name, endpoint, env, patience), endpoint.simulated, folder, redactor(env))


def published(env: Mapping[str, str]) -> dict[str, Endpoint]:
    """The real sources' endpoints."""
    return {name: endpoints.published(name, env) for name in NAMES}


def probe_all(found: Mapping[str, Endpoint], timeout: float, env: Mapping[str, str]) -> tuple[SourceState, ...]:
    """One state per endpoint, in the documented order, after at most ``timeout`` seconds.

    Sources are probed at the same time; what has not answered by then is UNREACHABLE.  Nothing raises: an unexpected
    error is that source's state, ERROR, without secrets.
    """
    states: queue.SimpleQueue[SourceState] = queue.SimpleQueue()
    deadline = time.monotonic() + timeout
    names = [name for name in NAMES if name in found]
    for name in names:
        # A look-up of a host's name cannot be bounded, so a late thread is left behind: it must not keep us alive.
        arguments = (name, found[name], env, timeout, states)
        threading.Thread(target=_probe, args=arguments, name=f"probe-{name}", daemon=True).start()
    answers: dict[str, SourceState] = {}
    while len(answers) < len(names):
        try:
            state = states.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        answers[state.source] = state
    return tuple(answers.get(name) or _late(name, timeout) for name in names)


def _probe(
    name: str, endpoint: Endpoint, env: Mapping[str, str], timeout: float, states: "queue.SimpleQueue[SourceState]"
) -> None:
    """Put one source's state into the queue, whatever happens."""
    try:
        source = open_source(name, endpoint, env, Patience.for_probe(timeout))
        try:
            states.put(source.probe())
        finally:
            source.close()
    except Exception as error:  # the edge: whatever a connector does becomes its state
        what = redactor(env).text(f"{type(error).__name__}: {error}")
        states.put(failed(TITLES[name], SourceError(name, f"The connector failed. {what}")))


def _late(name: str, timeout: float) -> SourceState:
    return failed(TITLES[name], NoReply(name, f"{TITLES[name]} did not answer within {timeout:g} s."))
