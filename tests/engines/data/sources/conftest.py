"""One server with the seven HTTP simulators for each test, and connectors to it that are closed afterwards."""

from collections.abc import Iterator

import pytest

from engines.data.simulators import suite
from engines.data.simulators.http_server import SimulatorServer
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.retry import Patience
from engines.data.sources.source import Source
from tests.engines.data.sources.source_rig import ONCE, Connect, connector


@pytest.fixture
def env() -> dict[str, str]:
    return suite.fresh_keys()


@pytest.fixture
def http(env: dict[str, str]) -> Iterator[SimulatorServer]:
    with suite.http_server(env) as server:
        yield server


@pytest.fixture
def connect(env: dict[str, str], request: pytest.FixtureRequest) -> Iterator[Connect]:
    opened: list[Source] = []

    def connect_(
        name: str, to: Endpoint | None = None, patience: Patience = ONCE, env_: dict[str, str] | None = None
    ) -> Source:
        endpoint = to or request.getfixturevalue("http").endpoint(name)
        opened.append(connector(name, endpoint, env if env_ is None else env_, patience))
        return opened[-1]

    yield connect_
    for source in opened:
        source.close()
