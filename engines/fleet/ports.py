"""Which ports a fleet takes, checked by binding them."""

import errno
import fcntl
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from engines.wire.errors import PortInUse, UsageError

_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - refused
# Below Linux's ephemeral range (32768 and up) and clear of the default ports first.
OFFSETS = (0, 20_000, 22_500, 2_500, 5_000, 7_500, 12_500, 15_000, 17_500)


def free(host: str, port: int) -> bool:
    """Whether a server could listen there now: tried, as the servers do, with SO_REUSEADDR."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise PortInUse(
                f"Nothing can listen on {host}:{port}.",
                error.strerror or str(error),
                "Give an address of this machine.",
            ) from error
    return True


def answers(host: str, port: int, timeout_s: float = 0.2) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout_s):
            return True
    except OSError:
        return False


def check(host: str, wanted: Mapping[str, int]) -> None:
    """All ports of `wanted` (engine to port) are free.

    Raises:
        UsageError: the host is no single address.
        PortInUse: naming every taken port and the process that holds it.
    """
    if host in _EVERYWHERE:
        why = "Requests that change something must name the address that they were sent to."
        raise UsageError(f"A fleet does not listen on {host}.", why, "Give one address: nautilus up --host ADDRESS")
    taken = [(name, port) for name, port in wanted.items() if not free(host, port)]
    if not taken:
        return
    lines = [f"{name} needs port {port}, held by {holder(port)}" for name, port in taken]
    raise PortInUse(
        f"{len(taken)} port{'s' if len(taken) > 1 else ''} of the fleet {'are' if len(taken) > 1 else 'is'} in use.",
        "; ".join(lines) + ".",
        "End that process, or start on other ports: nautilus up --port-offset 20000",
    )


def holder(port: int) -> str:
    """The process that has a port: pid and command line, where the system tells."""
    import psutil

    try:
        using = [c for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port]
    except psutil.AccessDenied:
        using = []
    for connection in sorted(using, key=lambda c: c.status != psutil.CONN_LISTEN):
        if connection.pid:
            try:
                command = " ".join(psutil.Process(connection.pid).cmdline())
            except psutil.Error:
                command = "its command is not visible"
            return f"pid {connection.pid} ({command[:120]})"
    if using:
        return f"a connection that is ending ({using[0].status}); it is free again within a minute"
    return "a process of another user"


def choose(host: str, ports: Sequence[int], runtime: Path) -> tuple[int, int]:
    """The first offset at which all ports are free, and the open file whose lock keeps other fleets off it.

    Raises:
        PortInUse: none is left.
    """
    for offset in OFFSETS:
        claim = os.open(runtime / f"offset-{offset}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(claim)
            continue
        if all(free(host, port + offset) for port in ports):
            return offset, claim
        os.close(claim)
    raise PortInUse(
        "No set of free ports was found.", f"Tried offsets {OFFSETS}.", "End a fleet: nautilus down --fleet NAME"
    )
