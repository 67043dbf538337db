"""The embedded buses: real servers."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.fleet import buses, folders, process, resp
from engines.fleet.buses import Bus
from engines.fleet.folders import Folders
from engines.fleet.process import Identity
from engines.fleet.resp import Connection
from engines.wire.errors import BusError


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Folders]:
    found = folders.of("f", tmp_path / "home with space")
    folders.make(found)
    yield found
    for path in found.runtime.iterdir():
        path.unlink()
    found.runtime.rmdir()


@pytest.fixture
def pair(where: Folders) -> tuple[Bus, ...]:
    return buses.declare(where, buses.load_secrets(where.secrets), {})


def start(bus: Bus, where: Folders) -> Identity:
    pid = buses.launch(bus, buses.find_server(os.environ), where)
    identity = process.identify(pid)
    assert identity is not None
    for _ in range(1000):
        if buses.working(bus):
            return identity
        process.wait_gone([identity], 0.01)
    raise AssertionError((where.logs / f"{bus.unit}.log").read_text())


def finish(identity: Identity, number: int = signal.SIGKILL) -> None:
    process.send(identity, number)
    os.waitpid(identity.pid, 0)


def test_main_keeps_its_streams_over_a_kill_and_market_takes_none_with_it(
    where: Folders, pair: tuple[Bus, ...]
) -> None:
    main, market = pair
    first = [start(bus, where) for bus in pair]
    for bus in pair:
        with Connection(bus.address, 2.0) as link:
            for number in range(100):
                link.ask("XADD", "orders", "*", "n", number)
    for identity in first:
        finish(identity)
    second = [start(bus, where) for bus in pair]
    kept = []
    for bus in (main, market):
        with Connection(bus.address, 2.0) as link:
            kept.append(link.ask("XLEN", "orders"))
    for identity in second:
        finish(identity, signal.SIGTERM)
    assert kept == [100, 100]


def test_the_password_is_needed_and_shows_nowhere(where: Folders, pair: tuple[Bus, ...]) -> None:
    main = pair[0]
    identity = start(main, where)
    try:
        with Connection(resp.Address(path=main.address.path), 2.0) as link, pytest.raises(BusError, match="NOAUTH"):
            link.ask("PING")
        with Connection(main.address, 2.0) as link:
            assert link.ask("CONFIG", "GET", "maxmemory-policy") == [b"maxmemory-policy", b"noeviction"]
            assert link.ask("CONFIG", "GET", "appendfsync") == [b"appendfsync", b"no"]
            limit = link.ask("CONFIG", "GET", "maxmemory")
            assert isinstance(limit, list) and int(limit[1]) > 0
        secret = main.address.password.encode()
        proc = Path(f"/proc/{identity.pid}")
        if proc.exists():
            assert secret not in (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
        assert secret not in where.log(main.unit).read_bytes()
        assert Path(main.address.path).stat().st_mode & 0o777 == 0o600
    finally:
        finish(identity)


def test_secrets_are_made_once_and_kept_private(where: Folders) -> None:
    first = buses.load_secrets(where.secrets)
    assert buses.load_secrets(where.secrets) == first
    assert where.secrets.stat().st_mode & 0o777 == 0o600
    assert len({first.main, first.market, first.token}) == 3


def test_external_buses_are_taken_from_the_environment(where: Folders) -> None:
    keys = buses.load_secrets(where.secrets)
    main, market = buses.declare(where, keys, {"NAUTILUS_BUS_MARKET_URL": "redis://elsewhere:7000/1"})
    assert (main.external, market.external) == (False, True)
    assert market.address.public == "redis://elsewhere:7000"


def test_a_socket_path_that_is_too_long(tmp_path: Path) -> None:
    where = Folders(tmp_path, tmp_path / ("x" * 120))
    with pytest.raises(BusError, match="too long"):
        buses.declare(where, buses.Secrets("a", "b", "c"), {})


def test_no_server_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(buses.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BusError, match="No bus server") as caught:
        buses.find_server({"PATH": str(tmp_path)})
    assert "NAUTILUS_BUS_MAIN_URL" in caught.value.next_step
    server = tmp_path / "valkey-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    assert buses.find_server({"PATH": str(tmp_path)}) == server
