"""Where the accounts of an attached fleet begin: its ledger counts since the mission's start, not since its own."""

from collections.abc import Mapping, Sequence

import msgspec

from engines.wire.bus import Bus
from engines.wire.errors import NautilusError
from engines.wire.manifest import Manifest
from engines.wire.messages import TOPICS
from reports import records
from stress import settle
from stress.checks import collect
from stress.settle import Taken

DRAIN_S = 10.0
Key = tuple[str, str]  # consumer and topic


async def begin(buses: Mapping[str, Bus], manifests: Sequence[Manifest], taken: Taken) -> dict[Key, records.Ledger]:
    """What every consumer has counted so far; what is in the streams now counts as taken.

    Raises:
        NautilusError: messages still flow, so that none of them could be told from the mission's.
    """
    if not await settle.drained(buses, manifests, DRAIN_S):
        raise NautilusError(
            "The fleet is busy.", f"Its consumers were not level for {DRAIN_S:g} s.", "See who lags: nautilus bus stats"
        )
    for topic, bus in TOPICS.items():
        taken.last[topic] = (await buses[bus].stats(topic)).last
    taken.mark = await collect.begin(buses)
    return {(row.consumer, row.topic): row for row in await settle.ledger(buses, manifests, 0.0)}


def since(row: records.Ledger, base: records.Ledger) -> records.Ledger:
    """A later account less an earlier one of the same consumer and topic.

    What was pending then is counted as published since: it is processed since.  So
    `published = processed + dead-lettered + pending + lost` holds for the difference as well.
    """
    return msgspec.structs.replace(
        row,
        published=row.published - (base.published - base.pending),
        processed_unique=row.processed_unique - base.processed_unique,
        dead_lettered=row.dead_lettered - base.dead_lettered,
        lost=max(0, row.lost - base.lost),
        deliveries=row.deliveries - base.deliveries,
        redeliveries=row.redeliveries - base.redeliveries,
        reordered=row.reordered - base.reordered,
    )
