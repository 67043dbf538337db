"""Eight states, whatever happens, in time; importing it costs nothing."""

import inspect
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from engines.data.simulators import suite
from engines.data.sources import registry
from engines.data.sources.endpoint import PUBLISHED, Endpoint, published
from engines.data.sources.source import Request, Status
from engines.wire.errors import SettingsError, UnknownName

HTTP = tuple(name for name in registry.NAMES if name != "ibkr")


def closed(name: str) -> Endpoint:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scheme = "tcp" if name == "ibkr" else "http"
    return Endpoint(source=name, urls=dict.fromkeys(PUBLISHED[name], f"{scheme}://127.0.0.1:{port}"), simulated=True)


def test_the_documented_order() -> None:
    assert tuple(PUBLISHED) == registry.NAMES
    assert len(registry.NAMES) == 8
    for name in HTTP:
        source = registry.open_source(name, closed(name), {})
        assert (source.name, source.title) == (name, registry.TITLES[name])
        source.close()
    with pytest.raises(UnknownName, match="Did you mean 'fred'"):
        registry.open_source("fredd", closed("fred"), {})


def test_what_is_offered_is_what_the_connectors_know() -> None:
    assert tuple(registry.OFFERS) == registry.NAMES
    for name, offers in registry.OFFERS.items():
        source = registry.open_source(name, closed(name), {})
        assert set(offers) == set(source.kinds)
        source.close()
        text = Path(
            inspect.getfile(type(source) if name in ("ibkr", "yahoo") else sys.modules[module(name)])
        ).read_text()
        for option in {option for offer in offers.values() for option in offer.options}:
            assert f'"{option}"' in text, (name, option)


def module(name: str) -> str:
    return f"engines.data.sources.{name}"


def test_all_are_simulated_against_the_suite() -> None:
    with suite.running() as simulators:
        states = registry.probe_all(simulators.endpoints, 30, simulators.env)
    assert [state.source for state in states] == list(registry.NAMES)
    assert {state.source: state.status for state in states} == dict.fromkeys(registry.NAMES, Status.SIMULATED)
    assert all(state.evidence.rows for state in states)


def test_without_keys_nothing_is_sent_and_closed_ports_are_unreachable() -> None:
    states = registry.probe_all({name: closed(name) for name in HTTP}, 20, {})
    found = {state.source: state.status for state in states}
    missing = ("alpha_vantage", "fred", "edgar", "trading_economics")
    assert found == {name: Status.NOT_CONFIGURED if name in missing else Status.UNREACHABLE for name in HTTP}


def test_who_accepts_and_says_nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = suite.fresh_keys()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        endpoint = Endpoint(source="fred", urls={"api": url}, simulated=True)
        (state,) = registry.probe_all({"fred": endpoint}, 0.5, keys)
    assert state.status is Status.UNREACHABLE


def test_who_ignores_the_time_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def forever(*_: object) -> None:
        time.sleep(3)

    monkeypatch.setattr(registry, "open_source", forever)
    (state,) = registry.probe_all({"fred": closed("fred")}, 0.1, {})
    assert state.status is Status.UNREACHABLE
    assert "0.1 s" in state.evidence.detail


def test_an_unexpected_error_is_a_state_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = suite.fresh_keys()

    def broken() -> None:
        raise RuntimeError(f"surprise with {keys['FRED_API_KEY']}")

    opened = SimpleNamespace(probe=broken, close=lambda: None)
    monkeypatch.setattr(registry, "open_source", lambda *_: opened)
    (state,) = registry.probe_all({"fred": closed("fred")}, 5, keys)
    assert state.status is Status.ERROR
    assert "RuntimeError: surprise with ***" in state.evidence.detail
    assert keys["FRED_API_KEY"] not in msgspec.json.encode(state).decode()


def test_published_endpoints_are_real_and_tws_is_where_the_environment_says() -> None:
    found = registry.published({"IB_HOST": "10.0.0.7", "IB_PORT": "4002"})
    assert not any(endpoint.simulated for endpoint in found.values())
    assert found["ibkr"].urls["api"] == "tcp://10.0.0.7:4002"
    for port in ("0", "65536", "x", "-1"):
        with pytest.raises(SettingsError, match="IB_PORT"):
            published("ibkr", {"IB_PORT": port})


def test_a_cached_connector_keeps_its_tables_in_the_home_folder(tmp_path: Path) -> None:
    keys = suite.fresh_keys()
    env = keys | {"NAUTILUS_HOME": str(tmp_path)}
    with suite.http_server(keys) as server:
        source = registry.open_cached("fred", server.endpoint("fred"), env)
        request = Request(kind="series", key="SP500", limit=5)
        first, second = source.fetch(request), source.fetch(request)
        assert len(server.asked["fred"]) == 1
        assert source.probe().status is Status.SIMULATED
        assert len(server.asked["fred"]) == 2  # a probe asks
        source.close()
    assert second.provenance == first.provenance
    assert len(list((tmp_path / "data" / "cache" / "simulated" / "fred").glob("*.parquet"))) == 1


def test_the_import_is_cheap() -> None:
    """A mission imports it at start: nothing heavy may come along."""
    heavy = "{'httpx', 'yfinance', 'pandas', 'curl_cffi', 'ib_async', 'duckdb'}"
    code = f"import sys, engines.data.sources.registry; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
