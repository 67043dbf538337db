"""Preflight by binding."""

import itertools
import os
import socket
from pathlib import Path

import pytest

from engines.fleet import ports
from engines.wire.errors import PortInUse


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use_names_its_holder_and_the_way_out(taken: int) -> None:
    with pytest.raises(PortInUse) as caught:
        ports.check("127.0.0.1", {"risk": taken})
    assert f"risk needs port {taken}, held by pid {os.getpid()} (" in caught.value.why
    assert "--port-offset" in caught.value.next_step
    assert ports.answers("127.0.0.1", taken)


def test_every_taken_port_is_named_at_once(taken: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(PortInUse) as caught:
        ports.check("127.0.0.1", {"risk": taken, "ml": other.getsockname()[1], "vpin": _free()})
    assert "2 ports" in caught.value.what and "ml needs" in caught.value.why and "vpin" not in caught.value.why


def test_a_free_port_passes() -> None:
    port = _free()
    ports.check("127.0.0.1", {"risk": port})
    assert not ports.answers("127.0.0.1", port)


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(PortInUse, match="Nothing can listen"):
        ports.check("192.0.2.1", {"risk": _free()})


def test_choice_skips_taken_ports_and_what_another_fleet_chose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    offset = _free() - taken
    third = _free() - taken
    monkeypatch.setattr(ports, "OFFSETS", (0, offset, third))
    first, claim = ports.choose("127.0.0.1", [taken], tmp_path)
    assert first == offset, "offset 0 is taken"
    second, other = ports.choose("127.0.0.1", [taken], tmp_path)
    assert second == third, "the first fleet has not bound its port yet, but claimed it"
    with pytest.raises(PortInUse, match="No set of free ports"):
        ports.choose("127.0.0.1", [taken], tmp_path)
    os.close(claim)
    os.close(other)
    assert ports.choose("127.0.0.1", [taken], tmp_path)[0] == offset


def test_default_offsets_keep_clear_of_ephemeral_ports_and_of_each_other() -> None:
    assert all(10_000 + offset < 32_768 for offset in ports.OFFSETS)
    spans = sorted((8001 + offset, 10_000 + offset) for offset in ports.OFFSETS)
    assert all(high < low for (_, high), (low, _) in itertools.pairwise(spans))


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
