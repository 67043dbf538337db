"""Latency, bandwidth, stall, reset, half-open and partition on a real Valkey with real clients."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import busfleet
import msgspec
import pytest
from busfleet import BusFleet, Client

from engines.fleet import buses, process
from engines.wire.errors import NautilusError, UsageError
from stress.faults import keeper, proxy_client, proxy_kinds
from stress.faults.fault import Fault
from stress.faults.proxy import Order, Spec
from stress.faults.proxy_kinds import KINDS
from stress.faults.proxy_shape import MODES, Shape, Victims
from stress.faults.proxy_swap import insert, survey
from stress.faults.undo import UndoJournal

BY_NAME = {kind.name: kind for kind in KINDS}
LATENCY = BY_NAME["latency"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusFleet]:
    made = BusFleet(tmp_path_factory.mktemp("home")).up("main")
    yield made
    made.down()


@pytest.fixture(scope="module")
def client(fleet: BusFleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    made = Client(fleet.url_of("main").url, "risk", tmp_path_factory.mktemp("client"))
    yield made
    made.end()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[UndoJournal]:
    """What a test that fails leaves behind is taken back."""
    made = UndoJournal(tmp_path)
    yield made
    for undo in made.pending():
        BY_NAME[undo.kind].heal(undo, made)


@pytest.mark.parametrize("mode", MODES)
def test_injected_seen_and_healed(fleet: BusFleet, client: Client, journal: UndoJournal, mode: str) -> None:
    fault = Fault("f", mode, "bus-main", 5.0, {"mean_ms": 100} if mode == "reset" else {})
    done = BY_NAME[mode].inject(fault, fleet, journal)
    assert done.proven, done.proof
    assert journal.pending() == (done.undo,)
    assert done.undo is not None
    if mode in ("stall", "half-open", "partition"):
        assert not client.answered(0.3)
    back = BY_NAME[mode].heal(done.undo, journal)
    assert back.proven, back.proof
    assert f"process {fleet.pids()['bus-main']} listens" in back.proof
    assert journal.pending() == ()
    assert busfleet.gone(done.undo)
    assert client.answered()
    assert [path.name for path in fleet.where.runtime.iterdir()] == ["main.sock"]
    again = BY_NAME[mode].heal(done.undo, journal)
    assert again.proven and "had its name" in again.proof


def test_a_proxy_that_only_passes_proves_nothing(fleet: BusFleet, client: Client) -> None:
    place = survey(fleet.url_of("main").address.path)
    spec = Spec(
        lifetime_s=60.0, listen=str(place.via), upstream=str(place.real), control=str(place.control), place=place
    )
    own = keeper.Keeper("stress.faults.proxy")
    own.begin(msgspec.json.encode(spec))
    insert(place)
    undo = busfleet.Undo(fault="f", kind="stall", target="bus-main", facts={
        "pid": own.identity.pid, "start": own.identity.start, "public": place.public, "device": place.device,
        "inode": place.inode})  # fmt: skip
    try:
        for mode in ("latency", "stall", "half-open", "partition"):
            suffers, seen = proxy_kinds._suffering(Shape(mode=mode, delay_ms=50), str(place.control))
            assert not suffers, seen
        assert not proxy_client.broken(str(place.control), 0.3).closed
        address = fleet.url_of("main").address
        limit = Shape(mode="bandwidth", bytes_per_s=100_000)
        suffers, seen = proxy_kinds._limited(limit, str(place.control), address)
        assert not suffers and "bytes/s through the proxy" in seen, seen
    finally:
        assert BY_NAME["stall"].heal(undo, UndoJournal(fleet.home)).proven


def test_a_fault_that_nobody_meets_is_not_proven(
    fleet: BusFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_kinds, "_MET_S", 0.3)
    journal = UndoJournal(tmp_path)
    nobody = BusFleet(fleet.home, (("vpin", os.getppid(), 0),))  # it has no connection to this bus
    done = LATENCY.inject(Fault("f", "latency", "vpin", None, {"bus": "main"}), nobody, journal)
    assert not done.proven and "0 connections came" in done.proof
    assert done.undo is not None and LATENCY.heal(done.undo, journal).proven


def test_the_connections_of_one_engine_alone(
    fleet: BusFleet, client: Client, journal: UndoJournal, tmp_path: Path
) -> None:
    other = Client(fleet.url_of("main").url, "vpin", tmp_path)
    try:
        one = BusFleet(fleet.home, (("risk", client.process.pid, 0),))
        done = BY_NAME["partition"].inject(Fault("f", "partition", "risk", None, {"bus": "main"}), one, journal)
        assert done.proven, done.proof
        assert not client.answered(0.3)
        assert other.answered()
        assert done.undo is not None and BY_NAME["partition"].heal(done.undo, journal).proven
        assert client.answered()
    finally:
        other.end()


def test_a_fresh_process_heals_what_a_killed_one_has_injected(fleet: BusFleet, client: Client) -> None:
    undo = busfleet.inject_and_die("test_proxy_kinds:STALL", Fault("f", "stall", "bus-main"), fleet)
    assert not busfleet.gone(undo)  # the fault outlives its operator
    assert not client.answered(0.3)
    text = "import sys; from pathlib import Path; from stress.faults.heal import heal_pending; "
    text += "print(*heal_pending(Path(sys.argv[1])))"
    command = [sys.executable, "-c", text, str(fleet.home)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert "proven=True" in said and "answers PING" in said, said
    assert client.answered() and UndoJournal(fleet.home).pending() == () and busfleet.gone(undo)


STALL = BY_NAME["stall"]


def test_a_bus_that_is_replaced_meanwhile_ends_the_fault(fleet: BusFleet, client: Client, journal: UndoJournal) -> None:
    done = LATENCY.inject(Fault("f", "latency", "bus-main"), fleet, journal)
    fleet.kill("main")
    pid = fleet.launch(fleet.url_of("main"))
    assert done.undo is not None
    back = LATENCY.heal(done.undo, journal)
    assert back.proven and "the server had ended" in back.proof and f"process {pid} listens" in back.proof
    assert client.answered()


def test_a_proxy_that_nobody_ends_gives_its_place_back(
    fleet: BusFleet, client: Client, journal: UndoJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "BEYOND_S", 1.5)
    done = STALL.inject(Fault("f", "stall", "bus-main"), fleet, journal)
    assert done.undo is not None
    busfleet.until(lambda: busfleet.gone(done.undo), "the proxy stands for ever")
    assert client.answered()
    assert STALL.heal(done.undo, journal).proven
    keeper.end(process.Identity(int(done.undo.facts["pid"]), int(done.undo.facts["start"])))


def test_what_a_stall_has_held_arrives_when_it_ends(fleet: BusFleet) -> None:
    """A message from the past: a commit that its sender has given up is executed after all."""
    place = survey(fleet.url_of("main").address.path)
    spec = Spec(
        lifetime_s=60.0,
        listen=str(place.via),
        upstream=place.public,
        control=str(place.control),
        shape=Shape(mode="pass"),
    )
    own = keeper.Keeper("stress.faults.proxy")
    own.begin(msgspec.json.encode(spec))
    with proxy_client.connect(str(place.via), 2.0) as link:
        assert proxy_client.ping(link, 2.0).whole
        proxy_client.ask(str(place.control), Order(do="shape", shape=Shape(mode="stall"), victims=Victims()))
        silent = proxy_client.ping(link, 0.2)
        assert not silent.whole and not silent.closed
        proxy_client.passing(str(place.control))
        link.settimeout(2.0)
        assert link.recv(100).endswith(b"\r\n")
    keeper.end(own.identity)
    place.via.unlink(missing_ok=True)


def test_nothing_of_a_partitioned_connection_reaches_the_server(fleet: BusFleet) -> None:
    place = survey(fleet.url_of("main").address.path)
    upstream = fleet.where.runtime / "up"
    shape = Shape(mode="partition")
    own = keeper.Keeper("stress.faults.proxy")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(upstream))
        server.listen()
        server.settimeout(0.3)
        spec = Spec(
            lifetime_s=60.0, listen=str(place.via), upstream=str(upstream), control=str(place.control), shape=shape
        )
        own.begin(msgspec.json.encode(spec))
        with proxy_client.connect(str(place.via), 2.0) as link:
            assert link.recv(1) == b""
        with pytest.raises(TimeoutError):
            server.accept()
    keeper.end(own.identity)
    for path in (place.via, upstream):
        path.unlink(missing_ok=True)


def test_a_spec_that_cannot_be_followed_is_told(tmp_path: Path) -> None:
    own = keeper.Keeper("stress.faults.proxy")
    spec = Spec(lifetime_s=60.0, listen="/nowhere/at/all", upstream="x", control=str(tmp_path / "c"))
    with pytest.raises(NautilusError, match=r"did not begin.*The proxy cannot stand"):
        own.begin(msgspec.json.encode(spec))


@pytest.fixture
def standing(fleet: BusFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, BusFleet]]:
    """A Valkey on TCP, a proxy that stands in front of it, and a fleet whose URL names the proxy."""
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    server = subprocess.Popen([buses.find_server(os.environ), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert server.stdin is not None
    server.stdin.write(f'bind 127.0.0.1\nport {ports[0]}\nsave ""\ndir {tmp_path}\n'.encode())
    server.stdin.close()
    busfleet.until(lambda: proxy_client.direct(f"127.0.0.1:{ports[0]}", 0.5).whole, "no Valkey on TCP")
    control = str(fleet.where.runtime / "tcp.proxy")
    own = keeper.Keeper("stress.faults.proxy")
    spec = Spec(lifetime_s=60.0, listen=f"127.0.0.1:{ports[1]}", upstream=f"127.0.0.1:{ports[0]}", control=control)
    own.begin(msgspec.json.encode(spec))
    monkeypatch.setenv("NAUTILUS_BUS_MAIN_URL", f"redis://127.0.0.1:{ports[1]}/0")
    yield control, fleet
    keeper.end(own.identity)
    server.kill()
    server.wait()


@pytest.mark.parametrize("mode", MODES)
def test_over_tcp(standing: tuple[str, BusFleet], journal: UndoJournal, tmp_path: Path, mode: str) -> None:
    control, fleet = standing
    client = Client(os.environ["NAUTILUS_BUS_MAIN_URL"], "risk", tmp_path)
    try:
        parameters = {"control": control} | ({"mean_ms": 100} if mode == "reset" else {})
        assert list(BY_NAME[mode].mistakes("bus-main", parameters)) == []
        done = BY_NAME[mode].inject(Fault("f", mode, "bus-main", None, parameters), fleet, journal)
        assert done.proven, done.proof
        assert done.undo is not None and journal.pending() == (done.undo,)
        back = BY_NAME[mode].heal(done.undo, journal)
        assert back.proven, back.proof
        assert journal.pending() == () and client.answered()
    finally:
        client.end()


def test_a_reset_over_tcp_is_a_reset(standing: tuple[str, BusFleet]) -> None:
    control, _ = standing
    proxy_client.ask(control, Order(do="shape", shape=Shape(mode="reset", mean_ms=50)))
    where = os.environ["NAUTILUS_BUS_MAIN_URL"].removeprefix("redis://").removesuffix("/0")
    with proxy_client.connect(where, 2.0) as link, pytest.raises(ConnectionResetError):
        end = time.monotonic() + 5
        while time.monotonic() < end:
            link.sendall(b"PING\r\n")
            assert link.recv(100) in (b"+PONG\r\n", b"+PO")


def test_an_external_bus_needs_a_proxy_that_stands(standing: tuple[str, BusFleet], journal: UndoJournal) -> None:
    control, fleet = standing
    with pytest.raises(UsageError, match="is external"):
        STALL.inject(Fault("f", "stall", "bus-main"), fleet, journal)
    undo = busfleet.Undo(fault="f", kind="stall", target="bus-main", facts={"control": control + "x"})
    back = STALL.heal(undo, journal)
    assert not back.proven and "start it again" in back.proof
