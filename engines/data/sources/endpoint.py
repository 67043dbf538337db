"""Where a source is, and whether that is the real one: the only place that decides LIVE or SIMULATED."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

import msgspec

from engines.wire.errors import SettingsError

# The providers' own addresses by service.  A source that needs several hosts names each.
PUBLISHED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "ibkr": {"api": "tcp://127.0.0.1:7497"},  # TWS runs on the user's host; 7497 is its paper account
        "alpha_vantage": {"api": "https://www.alphavantage.co"},
        "fred": {"api": "https://api.stlouisfed.org"},
        "edgar": {
            "api": "https://data.sec.gov",
            "search": "https://efts.sec.gov",
            "www": "https://www.sec.gov",
        },
        "data_gov": {"api": "https://api.gsa.gov"},
        "trading_economics": {"api": "https://api.tradingeconomics.com"},
        "dbnomics": {"api": "https://api.db.nomics.world"},
        "yahoo": {
            "api": "https://query2.finance.yahoo.com",
            "query1": "https://query1.finance.yahoo.com",
            "cookie": "https://fc.yahoo.com",
            "consent": "https://guce.yahoo.com",
            "form": "https://consent.yahoo.com",
        },
    }
)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One source's addresses.  `simulated` has no default: whoever builds one says what is there.

    An HTTP endpoint that claims to be real must be the provider's published one, over TLS.  TWS listens on a host of
    the user's choice, so there only the builder can know: `published` builds the real one, a simulator its own.
    """

    source: str
    urls: dict[str, str]  # service ("api" is the main one) -> base URL without a trailing slash
    simulated: bool

    def __post_init__(self) -> None:
        """Refuse an address that cannot be the real source under the real source's name."""
        if self.simulated or urlsplit(self.urls["api"]).scheme == "tcp":
            return
        known = PUBLISHED.get(self.source, {})
        for service, url in self.urls.items():
            if url != known.get(service):
                raise SettingsError(
                    f"{url} is not the published address of {self.source} ({service}).",
                    "What it answers could not be called live.",
                    "Build this endpoint with simulated=True.",
                )

    def url(self, path: str, service: str = "api") -> str:
        """The address of a path (with its leading slash)."""
        return self.urls[service] + path


def published(source: str, env: Mapping[str, str]) -> Endpoint:
    """The real source; for Interactive Brokers at `IB_HOST` and `IB_PORT` where the environment has them.

    Raises:
        SettingsError: `IB_PORT` is no port.
    """
    urls = dict(PUBLISHED[source])
    if source == "ibkr":
        host, port = env.get("IB_HOST") or "127.0.0.1", env.get("IB_PORT") or "7497"
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise SettingsError(f"IB_PORT is {port!r}, not a port.", "", "Set it to 7497 (TWS, paper) or unset it.")
        urls["api"] = f"tcp://{host}:{port}"
    return Endpoint(source=source, urls=urls, simulated=False)
