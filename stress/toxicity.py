"""The path of VPIN over the day, from the engine's own messages."""

from engines.wire.bus import Bus
from engines.wire.messages import Vpin
from reports import records
from stress.history.stamp import stamp
from stress.settle import Taken


async def path(bus: Bus, taken: Taken) -> list[records.Toxicity]:
    """Every bucket with a value that closed since the last account."""
    return [
        records.Toxicity(**stamp(), symbol=row.symbol, market_ns=row.ts_ns, bucket=row.bucket, vpin=row.vpin)
        for message in await taken.messages(bus, Vpin.TOPIC)
        if isinstance(message.body, Vpin)
        for row in message.body.rows
        if row.vpin is not None
    ]
