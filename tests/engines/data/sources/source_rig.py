"""Connectors against a local simulator, without limits and without second attempts unless a test wants them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module

from engines.data.simulators.http_server import Responder, SimulatorServer
from engines.data.sources.connector import HttpSource, Provider
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.retry import Patience
from engines.data.sources.source import Source

HTTP_SOURCES = ("alpha_vantage", "fred", "edgar", "data_gov", "trading_economics", "dbnomics")
ONCE = Patience(connect_s=2, read_s=2, total_s=5, attempts=1)
Connect = Callable[..., Source]


def provider(name: str) -> Provider:
    found: Provider = import_module(f"engines.data.sources.{name}").PROVIDER
    return found


def connector(name: str, endpoint: Endpoint, env: Mapping[str, str], patience: Patience = ONCE) -> HttpSource:
    return HttpSource(replace(provider(name), limits=lambda _: ()), endpoint, env, patience)


def alone(name: str, responder: Responder) -> SimulatorServer:
    return SimulatorServer({name: responder})


def everything(error: BaseException) -> str:
    """All that an error could show: its texts, its arguments, its traceback and whatever it is chained to."""
    import traceback

    shown = [str(error), repr(error), repr(vars(error)), repr(error.args), "".join(traceback.format_exception(error))]
    shown += [everything(each) for each in (error.__cause__, error.__context__) if each is not None]
    return "\n".join(shown)
