"""The small Redis-protocol client, against a real server."""

import socket
import threading
import time
from pathlib import Path

import pytest

from engines.fleet import resp
from engines.fleet.resp import Address, Connection, Pulse
from engines.wire.errors import BusError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("unix://:pw@/run/a.sock?db=2", Address(path="/run/a.sock", password="pw", database=2)),
        ("unix:///run/a%20b.sock", Address(path="/run/a b.sock")),
        ("redis://h", Address(host="h")),
        ("redis://u:p%40@h:7000/3", Address(host="h", port=7000, username="u", password="p@", database=3)),
        ("rediss://h:1", Address(host="h", port=1, tls=True)),
    ],
)
def test_urls(url: str, address: Address) -> None:
    assert resp.parse(url) == address


@pytest.mark.parametrize("url", ["http://h", "unix://", "redis://h:notaport", "redis://h/x", ""])
def test_what_is_no_bus_url(url: str) -> None:
    with pytest.raises(BusError):
        resp.parse(url)


def test_the_public_address_has_no_secret() -> None:
    for url in ("unix://:hidden@/run/a.sock", "redis://me:hidden@h:1/0"):
        assert "hidden" not in resp.parse(url).public


def test_round_trip_and_commands(valkey_url: str) -> None:
    address = resp.parse(valkey_url)
    resp.round_trip(address, 2.0)
    with Connection(address, 2.0) as link:
        assert link.ask("EXISTS", "nautilus:probe") == 0
        assert link.ask("ECHO", b"\x00\xff") == b"\x00\xff"
        assert link.ask("ECHO", "x" * 300_000) == b"x" * 300_000
        with pytest.raises(BusError, match="refuses 'XADD'"):
            link.ask("XADD", "a", "0-0", "b", "c")


def test_a_pulse_of_a_server_that_answers_is_never_silent(valkey_url: str) -> None:
    pulse = Pulse(resp.parse(valkey_url), every_s=0.01)
    seen = []
    for _ in range(20):
        seen.append(pulse.silent_s(time.monotonic(), 0.0))
        time.sleep(0.05)
    pulse.close()
    assert max(seen) < 1.0
    assert seen.count(0.0) > 0


def test_a_pulse_of_a_server_that_says_nothing_grows_silent(tmp_path: Path) -> None:
    path = tmp_path / "mute.sock"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        pulse = Pulse(Address(path=str(path)))
        assert pulse.silent_s(10.0, 0.0) == 0.0
        assert pulse.silent_s(13.0, 0.0) == 3.0
        assert pulse.silent_s(14.0, 12.0) == 2.0  # the asker itself was suspended until 12
        pulse.close()
        assert pulse.silent_s(14.1, 0.0) == 0.0  # a new question
        pulse.close()
    gone = Pulse(Address(path=str(tmp_path / "none.sock")))
    assert (gone.silent_s(1.0, 0.0), gone.silent_s(4.0, 0.0)) == (0.0, 3.0)


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="cannot be reached"):
        resp.round_trip(Address(path=str(tmp_path / "none")), 0.2)


@pytest.mark.parametrize(
    ("said", "why"), [(b"", "closed the connection"), (b"+NOPE\r\n", "PONG"), (b"!?\r\n", "does not answer")]
)
def test_a_server_that_is_none(said: bytes, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            link, _ = server.accept()
            link.recv(100)
            link.sendall(said)
            link.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(BusError, match=why):
            resp.round_trip(Address(host="127.0.0.1", port=server.getsockname()[1]), 2.0)
        thread.join(5)
