"""The control protocol over TCP: which addresses, which tokens."""

import socket

import pytest

from engines.fleet import tcp
from engines.wire.errors import PortInUse, SettingsError

LONG = {tcp.VARIABLE: "a token of some length"}


def test_nothing_unless_asked() -> None:
    assert tcp.door("", "fleet", {}) is None


def test_loopback_takes_the_fleets_token_or_ones_own() -> None:
    for env, token in (({}, "fleet"), (LONG, LONG[tcp.VARIABLE]), ({tcp.VARIABLE: "short"}, "short")):
        door = tcp.door("127.0.0.1:0", "fleet", env)
        assert door is not None
        with door.listener:
            assert door.admits(token) and not door.admits(token + "x") and not door.admits("")
            assert door.admits("fleet") == (token == "fleet")


def test_an_empty_token_opens_nothing() -> None:
    door = tcp.door("127.0.0.1:0", "", {})
    assert door is not None
    with door.listener:
        assert not door.admits("")


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "10.1.2.3:0", "somewhere:0"])
@pytest.mark.parametrize("env", [{}, {tcp.VARIABLE: "short"}])
def test_beyond_loopback_it_needs_a_long_token_of_its_own(listen: str, env: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        tcp.door(listen, "the fleet's own token, long enough", env)
    assert "others can reach it" in caught.value.what and tcp.VARIABLE in caught.value.next_step


def test_with_such_a_token_it_listens() -> None:
    door = tcp.door("0.0.0.0:0", "fleet", LONG)
    assert door is not None
    door.listener.close()


@pytest.mark.parametrize("listen", ["7700", "127.0.0.1", "127.0.0.1:x", ":7700", "127.0.0.1:70000"])
def test_no_address(listen: str) -> None:
    with pytest.raises(SettingsError, match=r"is not HOST:PORT"):
        tcp.door(listen, "fleet", {})


def test_a_taken_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(PortInUse, match="cannot listen on"):
        tcp.door(f"127.0.0.1:{other.getsockname()[1]}", "fleet", {})
