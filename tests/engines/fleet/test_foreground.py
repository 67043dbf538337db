"""What a service manager hears, and signals that end a fleet."""

import os
import signal
import socket
from pathlib import Path

import pytest

from engines.fleet import foreground
from engines.fleet.status import Event


def event(kind: str, name: str = "", state: str = "") -> Event:
    return Event(seq=1, elapsed_s=0.0, kind=kind, name=name, state=state, ready=3, total=4)  # type: ignore[arg-type]


def test_readiness_and_status_reach_the_manager(tmp_path: Path) -> None:
    path = tmp_path / "n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(5)
        env = {"NOTIFY_SOCKET": str(path)}
        foreground.announce(event("unit", "risk", "starting"), env)
        foreground.announce(event("phase", "zygote"), env)
        foreground.announce(event("settled"), env)
        assert manager.recv(1000) == b"STATUS=3 of 4 engines ready; risk is starting"
        assert manager.recv(1000) == b"READY=1\nSTATUS=3 of 4 engines ready"


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="abstract sockets are Linux's")
def test_an_abstract_socket() -> None:
    name = f"nautilus-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(5)
        assert foreground.sd_notify("READY=1", {"NOTIFY_SOCKET": f"@{name}"})
        assert manager.recv(100) == b"READY=1"


def test_no_manager_and_a_manager_that_is_gone(tmp_path: Path) -> None:
    assert not foreground.sd_notify("READY=1", {})
    assert foreground.sd_notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "gone")})


@pytest.mark.parametrize("number", foreground.ENDS)
def test_signals_end_it_as_an_interrupt_does(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt) as caught, foreground.hearing():
        os.kill(os.getpid(), number)
    assert isinstance(caught.value, foreground.Told) and caught.value.number == number
    assert signal.getsignal(number) is before
