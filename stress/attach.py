"""What speaks against flying a mission on a fleet that runs already."""

import contextlib
import ipaddress
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import psutil

from engines.fleet.status import EngineHealth, FleetStatus
from engines.wire.errors import NautilusError, UsageError
from stress.fleet import MissionFleet

LIVE_PORTS: Mapping[int, str] = {7496: "TWS, live account", 4001: "IB Gateway, live account"}
PAPER_PORTS: Mapping[int, str] = {7497: "TWS, paper account", 4002: "IB Gateway, paper account"}
"""The brokers' own default ports of their API (Interactive Brokers, TWS API documentation)."""
_IB_DEFAULT = 7497  # where an engine connects when IB_PORT says nothing
BUSY = frozenset({"building", "starting", "running"})


class AttachRefused(UsageError):
    """Everything that speaks against flying a mission on a fleet, at once."""

    def __init__(self, name: str, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        lines = "\n".join(f"  {reason}" for reason in self.reasons)
        super().__init__(
            f"No mission can fly on fleet {name!r}:\n{lines}\n", "", "Leave --attach out: the mission starts its own."
        )


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a running fleet beyond its own status and health.

    `owner`: user id of its supervisor, None where nobody tells; `here`: this machine's addresses; `links`: (address,
    port) of each process's connections, and `broker_ports`: where its environment sends Interactive Brokers' API, both
    by engine; `replay` and `feeds`: states of marketdata's sessions, None when it did not answer; `sources`: of feeds.
    """

    owner: int | None
    user: int
    here: frozenset[str]
    links: dict[str, tuple[tuple[str, int], ...]]
    broker_ports: dict[str, int]
    replay: str | None
    feeds: str | None
    sources: tuple[str, ...] = ()


def refusals(status: FleetStatus, health: Iterable[EngineHealth], facts: Facts) -> list[str]:
    """Everything that speaks against a mission on this fleet, in words; empty when nothing does."""
    return [*_ownership(status, facts), *_venues(facts), *_readiness(status, health), *_sessions(facts)]


def _ownership(status: FleetStatus, facts: Facts) -> Iterator[str]:
    if facts.owner is None:
        yield f"Nobody tells who started its supervisor, process {status.supervisor.pid}."
    elif facts.owner != facts.user:
        yield f"User {facts.owner} started it, and you are user {facts.user}."
    if not _is_here(status.host, facts.here):
        yield f"Its engines listen on {status.host}, which is not this machine."
    for bus in status.buses:
        where = _host(bus.address)
        if bus.external and where is not None and not _is_here(where, facts.here):
            yield f"Its {bus.name} bus is at {bus.address}, which is not this machine."


def _venues(facts: Facts) -> Iterator[str]:
    for port in sorted({*facts.broker_ports.values()} & LIVE_PORTS.keys()):
        names = ", ".join(sorted(name for name, own in facts.broker_ports.items() if own == port))
        yield f"IB_PORT sends {names} to port {port} ({LIVE_PORTS[port]})."
    for name, links in sorted(facts.links.items()):
        for address, port in sorted(set(links)):
            if port in LIVE_PORTS:
                yield f"{name} is connected to {address}:{port} ({LIVE_PORTS[port]})."
    used = facts.broker_ports.get("marketdata", _IB_DEFAULT)
    if "ibkr" in facts.sources and used not in PAPER_PORTS and used not in LIVE_PORTS:
        yield f"marketdata takes feeds from a broker at port {used}, which is not known to be a paper account."


def _readiness(status: FleetStatus, health: Iterable[EngineHealth]) -> Iterator[str]:
    idle = [engine.name for engine in status.engines if not engine.wanted]
    if idle:
        yield f"Engines are missing that a mission needs: {', '.join(idle)}; start them: nautilus up"
    for engine in status.wanted:
        if engine.state != "ready":
            yield f"{engine.name} is {engine.state}; see why: nautilus why {engine.name}"
    for report in health:
        if report.status == "down":
            yield f"{report.name} does not answer for its health: {report.error or 'it gives no reason'}."


def _sessions(facts: Facts) -> Iterator[str]:
    if facts.replay is None or facts.feeds is None:
        yield "marketdata does not say whether a replay or feeds run."
        return
    if facts.replay in BUSY:
        yield f"A replay is {facts.replay}; wait for its end."
    if facts.feeds in BUSY:
        yield f"Feeds are {facts.feeds}; wait for their end."


def _is_here(host: str, here: frozenset[str]) -> bool:
    if host in ("localhost", *here):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _host(address: str) -> str | None:
    """The host of a bus's address; None for a Unix socket."""
    scheme, _, rest = address.partition("://")
    return None if scheme == "unix" else rest.rpartition(":")[0].strip("[]")


def facts_of(fleet: MissionFleet) -> Facts:
    """Look."""
    status = fleet.known()
    pids = {engine.name: engine.pid for engine in status.wanted if engine.pid is not None}
    replay, feeds = _asked(fleet, "/replay"), _asked(fleet, "/feeds")
    return Facts(
        owner=_owner(status.supervisor.pid),
        user=os.getuid(),
        here=_addresses(),
        links={name: tuple(_links(pid)) for name, pid in pids.items()},
        broker_ports={name: port for name, pid in pids.items() if (port := _broker_port(pid)) is not None},
        replay=None if replay is None else str(replay["state"]),
        feeds=None if feeds is None else str(feeds["state"]),
        sources=() if feeds is None else tuple(str(feed["source"]) for feed in feeds["feeds"]),
    )


def _asked(fleet: MissionFleet, path: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = fleet.get("marketdata", path)
    except NautilusError:
        return None
    return found


def _owner(pid: int) -> int | None:
    try:
        return psutil.Process(pid).uids().real
    except psutil.Error:
        return None


def _addresses() -> frozenset[str]:
    return frozenset(each.address for found in psutil.net_if_addrs().values() for each in found)


def _links(pid: int) -> Iterator[tuple[str, int]]:
    """Where a process and its children are connected to; what cannot be seen belongs to another user."""
    with contextlib.suppress(psutil.Error):
        own = psutil.Process(pid)
        for each in (own, *own.children(recursive=True)):
            for link in each.net_connections("tcp"):
                if link.raddr and link.status == psutil.CONN_ESTABLISHED:
                    yield link.raddr.ip, link.raddr.port


def _broker_port(pid: int) -> int | None:
    with contextlib.suppress(psutil.Error):
        given = psutil.Process(pid).environ().get("IB_PORT", "")
        return int(given) if given.isdecimal() else None
    return None
