"""Joins a request of the harness to what it caused on the buses: hop by hop, or the replay that it asked for."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engines.wire import causes
from engines.wire.bus import START, Bus, parse_id
from engines.wire.causes import Effect, Link
from engines.wire.errors import BusError, MessageError
from engines.wire.messages import KEPT, TOPICS, Header, Session, decode, decode_header
from reports import records
from stress import settle
from stress.history.stamp import stamp
from stress.run import Run

LOOKED_AT = tuple(topic for topic, bus in TOPICS.items() if bus == "main" and topic in KEPT)
"""Of the others, entries that everybody has read may be gone by the time that they are looked for."""
_POLL_S = 0.02
_LATE_S = 5.0  # longest wait for the first trades of a window


class Asked(NamedTuple):
    """A request that the harness is about to send, and when (CLOCK_MONOTONIC)."""

    request: str
    at_ns: int


def asked(run: Run) -> Asked:
    """A new one, sent now."""
    return Asked(run.fleet.operation(), time.monotonic_ns())


async def ends(run: Run) -> dict[str, str]:
    """The last entry of each topic that is looked at."""
    main = run.fleet.bus("main")
    try:
        return {topic: (await main.stats(topic)).last for topic in LOOKED_AT}
    finally:
        await main.close()


async def effects(run: Run, request: str, since: Mapping[str, str]) -> tuple[Effect, ...]:
    """What a request has caused after these entries.  Raises BusError."""
    links: list[Link] = []
    main = run.fleet.bus("main")
    try:
        for topic in LOOKED_AT:
            for entry in await settle.entries_after(main, topic, since.get(topic, START)):
                with contextlib.suppress(MessageError):  # a fault's; it lies in the dead letters of whoever read it
                    links.append(causes.read(entry))
    finally:
        await main.close()
    return causes.of_request(links, request)


def hops(phase: str, request: str, found: Sequence[Effect]) -> list[records.RequestHop]:
    """The same by who sent them on which topic, in the order of the first of each."""
    by: dict[tuple[str, str], list[int]] = {}
    for link, _ in found:
        by.setdefault((link.header.producer, link.id.partition("/")[0]), []).append(link.header.mono_sent)
    return [
        records.RequestHop(
            **stamp(), phase=phase, request=request, producer=producer, topic=topic, count=len(sent),
            first_ns=min(sent), last_ns=max(sent),
        )
        for (producer, topic), sent in by.items()
    ]  # fmt: skip


def arrived_ns(found: Sequence[Effect], request: str) -> int | None:
    """When a request arrived at its engine, as its messages tell; None: none does."""
    return next((link.arrived_ns for link, _ in found if link.request == request and link.arrived_ns), None)


async def first_trades(run: Run, window_at: int) -> Header | None:
    """The header of the first trades of the window that begins at `window_at` (CLOCK_MONOTONIC); None: none came.

    They have to be looked for as the window begins: once everybody has read them they are dropped.
    """
    market = run.fleet.bus("market")
    try:
        await asyncio.sleep(max(0.0, (window_at - time.monotonic_ns()) / 1e9))
        until = time.monotonic() + _LATE_S
        while time.monotonic() < until:
            with contextlib.suppress(BusError, MessageError):  # a fault's: it may be over in time
                found = await _first_trades(market)
                if found is not None:
                    return found
            await asyncio.sleep(_POLL_S)
        return None
    finally:
        await market.close()


async def _first_trades(market: Bus) -> Header | None:
    last = await market.last("sessions")
    if last is None:
        return None
    replay, _ = parse_id(last.id)
    for told in await market.read({"sessions": f"{replay}-0"}, 10, 0):
        body = decode(*told).body
        if isinstance(body, Session) and body.event == "window":
            trades = await market.read({"trades": told.id}, 1, 0)
            held = await market.stats("trades")
            whole = parse_id(held.first) < parse_id(told.id) or held.added == held.length  # nothing since was dropped
            return decode_header(trades[0].header) if trades and whole else None
    return None


async def replay(run: Run, phase: str, number: int, ask: Asked, first: Header | None) -> records.Replay:
    """A replay beside the request that asked for it.  `first`: the header of its window's first trades."""
    market = run.fleet.bus("market")
    try:
        told = await market.read({"sessions": f"{number}-0"}, 1, 0)
    finally:
        await market.close()
    opened = decode(*told[0]) if told else None
    body = opened.body if opened is not None else None
    ours = isinstance(body, Session) and body.request == ask.request
    return records.Replay(
        **stamp(),
        phase=phase,
        number=number,
        request=ask.request,
        asked_ns=ask.at_ns,
        arrived_ns=body.requested_ns if ours and isinstance(body, Session) else None,
        opened_ns=opened.header.mono_sent if opened is not None and ours else None,
        first_tick_due_ns=first.mono_intended if first is not None and ours else None,
        first_tick_ns=first.mono_sent if first is not None and ours else None,
    )
