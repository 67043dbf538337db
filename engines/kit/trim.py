"""Streams are trimmed below their slowest consumer, never by length: what nobody has read is never dropped.

A producer trims what it publishes.  A consumer is an engine whose manifest names the topic and that has ever claimed;
orders, order events, fills, halts and alerts stay for the whole session.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from engines.wire.bus import Bus, parse_id
from engines.wire.errors import BusError
from engines.wire.manifest import Manifest
from engines.wire.messages import KEPT, TOPICS, BusName

log = logging.getLogger(__name__)
PERIOD_S = 5.0


async def trim(publishes: Sequence[str], manifests: Sequence[Manifest], buses: Mapping[BusName, Bus]) -> dict[str, int]:
    """Trim each topic once; returns how many entries each gave up."""
    dropped = {}
    for topic in publishes:
        if topic in KEPT:
            continue
        consumers = [manifest.name for manifest in manifests if topic in manifest.consumes]
        cursors = [await buses["main"].cursor(name, topic) for name in consumers]
        known = [cursor for cursor in cursors if cursor is not None]
        if known:
            dropped[topic] = await buses[TOPICS[topic]].trim(topic, min(known, key=parse_id))
    return dropped


async def trim_until(
    stop: asyncio.Event, publishes: Sequence[str], manifests: Sequence[Manifest], buses: Mapping[BusName, Bus]
) -> None:
    """Trim every few seconds until stopped."""
    while not stop.is_set():
        await asyncio.sleep(PERIOD_S)
        try:
            await trim(publishes, manifests, buses)
        except BusError as error:
            log.warning("cannot trim: %s", error)
