"""All protocol simulators at once: their endpoints, and the environment that holds their keys."""

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engines.data.simulators import tws
from engines.data.simulators.alpha_vantage import AlphaVantage
from engines.data.simulators.data_gov import DataGov
from engines.data.simulators.dbnomics import DBnomics
from engines.data.simulators.edgar import Edgar
from engines.data.simulators.fred import Fred
from engines.data.simulators.http_server import SimulatorServer
from engines.data.simulators.trading_economics import TradingEconomics
from engines.data.simulators.yahoo import Yahoo
from engines.data.sources.endpoint import Endpoint


@dataclass(frozen=True)
class Suite:
    """Running simulators.  `env` holds keys made for this run; it is given to connectors instead of the user's own."""

    endpoints: Mapping[str, Endpoint]
    env: Mapping[str, str]
    http: SimulatorServer


def fresh_keys() -> dict[str, str]:
    """An environment with keys that open the simulators, and nothing else."""
    return {
        "ALPHAVANTAGE_API_KEY": secrets.token_hex(8).upper(),
        "FRED_API_KEY": secrets.token_hex(16),
        "EDGAR_IDENTITY": f"Simulated User {secrets.token_hex(4)}@example.invalid",
        "DATA_GOV_API_KEY": secrets.token_hex(20),
        "TRADING_ECONOMICS_API_KEY": f"{secrets.token_hex(8)}:{secrets.token_hex(8)}",
    }


def http_server(env: Mapping[str, str]) -> SimulatorServer:
    """The seven HTTP sources, with honest limits; enter it to start it."""
    return SimulatorServer(
        {
            "alpha_vantage": AlphaVantage(env["ALPHAVANTAGE_API_KEY"]),
            "fred": Fred(env["FRED_API_KEY"]),
            "edgar": Edgar(),
            "data_gov": DataGov(env["DATA_GOV_API_KEY"]),
            "trading_economics": TradingEconomics(env["TRADING_ECONOMICS_API_KEY"]),
            "dbnomics": DBnomics(),
            "yahoo": Yahoo(),
        }
    )


@contextlib.contextmanager
def running() -> Iterator[Suite]:
    """Eight simulators on loopback until this ends."""
    env = fresh_keys()
    with http_server(env) as http, tws.running() as desk:
        endpoints = {name: http.endpoint(name) for name in http.asked}
        urls = {"api": f"tcp://{tws.HOST}:{desk.port}"}
        yield Suite({"ibkr": Endpoint(source="ibkr", urls=urls, simulated=True)} | endpoints, env, http)
