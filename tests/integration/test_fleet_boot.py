"""A fleet of real processes over real buses: start, order, stop."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from toyfleet import ToyFleet

from engines.fleet import api, journal, process, resp
from engines.wire.errors import ManifestErrors, NautilusError, NotRunning, PortInUse, UnknownName
from engines.wire.messages import Fleet, decode

LAUNCHES = [pytest.param("zygote", marks=pytest.mark.skipif(not process.LINUX, reason="Linux only")), "spawn"]


@pytest.fixture(params=LAUNCHES)
def fleet(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ToyFleet]:
    monkeypatch.setenv("PYTHONPATH", "")
    toys = ToyFleet(tmp_path, request.param)
    yield toys
    toys.close()


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ToyFleet]:
    monkeypatch.setenv("PYTHONPATH", "")
    toys = ToyFleet(tmp_path, "spawn")  # faster for toys; the rest of this file does not depend on how they are born
    yield toys
    toys.close()


def test_up_and_down(fleet: ToyFleet) -> None:
    now = fleet.up()
    assert now.healthy and not now.already and {engine.state for engine in now.engines} == {"ready"}
    assert [bus.state for bus in now.buses] == ["ready", "ready"]
    assert now.supervisor.launch == fleet.spec.launch
    ready = [event.name for event in fleet.events if event.state == "ready"]
    assert ready.index("feed") < ready.index("risk") < ready.index("plan")
    assert ready.index("bus-main") < ready.index("feed")
    assert fleet.events[-1].kind == "settled" and (fleet.events[-1].ready, fleet.events[-1].total) == (4, 4)
    for engine in now.engines:
        assert fleet.diary(engine.name)[-1].endswith(f"parent {now.supervisor.pid}"), "the supervisor's own child"

    stopping: list[str] = []
    api.down("toy", home=fleet.home, on_event=lambda e: stopping.append(f"{e.name} {e.state}"))
    assert stopping.index("plan stopped") < stopping.index("risk stopping")
    assert stopping.index("risk stopped") < stopping.index("feed stopping")
    assert stopping.index("feed stopped") < stopping.index("bus-main stopping")
    assert all(fleet.diary(name)[-1].startswith("stopped") for name in ("feed", "risk", "plan", "lone"))
    assert fleet.members() == []
    assert process.identify(now.supervisor.pid) is None
    with pytest.raises(NotRunning):
        fleet.status()


def test_the_second_up_says_it_is_already_up(one: ToyFleet) -> None:
    first = one.up()
    second = one.up()
    assert second.already and second.supervisor.pid == first.supervisor.pid
    assert [e.pid for e in second.engines] == [e.pid for e in first.engines]


def test_two_ups_at_once_make_one_fleet(one: ToyFleet) -> None:
    found: list[api.FleetStatus] = []
    threads = [threading.Thread(target=lambda: found.append(api.up(one.spec, timeout=30))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert len(found) == 3 and len({now.supervisor.pid for now in found}) == 1
    assert [now.already for now in found].count(False) == 1
    assert all(now.healthy for now in found)
    assert [len(one.diary(name)) for name in ("feed", "risk", "plan", "lone")] == [1, 1, 1, 1]


def test_a_part_of_the_fleet_then_more(one: ToyFleet) -> None:
    now = one.up("risk")
    assert {e.name: e.state for e in now.engines} == {
        "feed": "ready",
        "risk": "ready",
        "plan": "declared",
        "lone": "declared",
    }
    more = one.up("lone")
    assert more.already and {e.name for e in more.wanted} == {"feed", "risk", "lone"} and more.healthy
    with pytest.raises(UnknownName, match="Did you mean 'lone'"):
        one.up("lonely")
    rest = one.up()
    assert rest.already and {e.name for e in rest.wanted} == {"feed", "risk", "lone", "plan"} and rest.healthy


def test_what_cannot_start_says_why_and_leaves_nothing(one: ToyFleet) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'risk'"):
        one.up("rsk")
    port = int(
        next(line for line in (one.root / "risk/engine.toml").read_text().splitlines() if "port" in line).split()[2]
    )
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortInUse, match=f"pid {os.getpid()} "):
        one.up()
    (one.root / "lone/engine.toml").write_text("name = 'alone'\nport = 'x'\n")
    with pytest.raises(ManifestErrors) as caught:
        one.up()
    assert "title is missing" in str(caught.value) and "port" in str(caught.value)
    assert process.wait_gone(one.members(), 5.0) == []


def test_a_bus_that_does_not_answer(one: ToyFleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAUTILUS_BUS_MAIN_URL", f"unix://{tmp_path}/nobody")
    with pytest.raises(NautilusError, match="cannot be reached"):
        one.up()


def test_an_external_bus_is_used_and_left_alone(
    one: ToyFleet, monkeypatch: pytest.MonkeyPatch, valkey_url: str
) -> None:
    monkeypatch.setenv("NAUTILUS_BUS_MARKET_URL", valkey_url)
    now = one.up()
    assert [(bus.name, bus.external, bus.pid is None) for bus in now.buses] == [
        ("main", False, False),
        ("market", True, True),
    ]
    api.down("toy", home=one.home)
    resp.round_trip(resp.parse(valkey_url), 2.0)


def test_port_offset_is_chosen_when_asked_for(one: ToyFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = api.FleetSpec(name="toy", home=one.home, prefix="toys", root=one.root, port_offset=None)
    ports = [int(path.read_text().split("port = ")[1].split()[0]) for path in one.root.glob("*/engine.toml")]
    with socket.create_server(("127.0.0.1", ports[0])):
        now = api.up(spec, timeout=30)
    assert now.port_offset > 0 and now.healthy
    assert sorted(e.port - now.port_offset for e in now.engines) == sorted(ports)


def test_health_and_status(one: ToyFleet) -> None:
    one.up()
    found = api.health("toy", home=one.home)
    assert {each.name: each.status for each in found} == dict.fromkeys(("feed", "risk", "plan", "lone"), "healthy")
    assert all(each.response_ms is not None and each.error == "" for each in found)
    one.until(lambda: all(e.rss_mb and e.cpu_percent is not None for e in one.status().engines), "samples")
    secrets = one.where.secrets.read_text()
    for secret in secrets.split('"')[3::4]:
        assert len(secret) == 48
        for path in (one.where.journal, *one.where.logs.glob("*")):
            assert secret not in path.read_text(), path
        assert secret not in repr(one.status())
    assert api.token("toy", home=one.home) in secrets
    assert one.state.stat().st_mode & 0o777 == 0o700


def test_the_fleet_topic_tells_the_fleet(one: ToyFleet) -> None:
    one.up()
    keys = process_keys(one)
    address = resp.parse(keys)
    with resp.Connection(address, 2.0) as link:
        entries = link.ask("XRANGE", "fleet", "-", "+")
    assert isinstance(entries, list)
    envelopes = [decode("fleet", entry.decode(), fields[1], fields[3]) for entry, fields in entries]
    assert [e.header.seq for e in envelopes] == list(range(1, len(envelopes) + 1))
    last = envelopes[-1].body
    assert isinstance(last, Fleet) and {e.engine: e.state for e in last.engines} == dict.fromkeys(
        ("feed", "risk", "plan", "lone"), "ready"
    )


def process_keys(one: ToyFleet) -> str:
    """The main bus's URL."""
    from engines.fleet import buses

    return buses.declare(one.where, buses.load_secrets(one.where.secrets), {})[0].url


def test_the_journal_tells_the_whole_life(one: ToyFleet) -> None:
    one.up()
    api.announce("toy", "risk", reason="exercise", home=one.home)
    api.down("toy", home=one.home)
    entries = journal.read(one.where.journal)
    assert entries[0].what == "boot" and entries[-1].what == "closed"
    assert journal.unended(entries) == {}
    asked = [entry for entry in entries if entry.what == "asked"]
    assert [entry.detail for entry in asked] == ["announce risk exercise", "stop"]
    assert all(entry.who == f"uid {os.getuid()} pid {os.getpid()}" for entry in asked)


def test_logs(one: ToyFleet) -> None:
    one.habit("risk", "crash-once")
    one.up()
    assert {line.name for line in api.logs("toy", home=one.home)} <= {p.stem for p in one.where.logs.glob("*.log")}
    with pytest.raises(UnknownName):
        list(api.logs("toy", "rsk", home=one.home))


def test_the_foreground_ends_with_its_client(one: ToyFleet, tmp_path: Path) -> None:
    script = tmp_path / "client.py"
    script.write_text(f"""
import sys
from pathlib import Path
from engines.fleet import api
spec = api.FleetSpec(name="toy", home=Path({str(one.home)!r}), prefix="toys", root=Path({str(one.root)!r}))
api.foreground(spec, lambda e: print(e.kind, e.name, e.state, flush=True))
""")
    for signal_ in ("INT", "KILL"):
        env = {**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}:{Path(__file__).parents[2]}"}
        with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=env) as client:
            assert client.stdout is not None
            for line in client.stdout:
                if line.startswith("settled"):
                    break
            supervisor = process.identify(one.status().supervisor.pid)
            client.send_signal(getattr(__import__("signal"), f"SIG{signal_}"))
            said = client.stdout.read()
            client.wait(15)
        assert supervisor is not None and process.wait_gone([supervisor], 10.0) == []
        assert signal_ == "KILL" or "stopped" in said
        assert one.members() == []
