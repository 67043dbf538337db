"""Settings of the feeds.  Times are wall seconds."""

import msgspec

SCENARIO = "feeds"  # of the session messages of feeds


class FeedsConfig(msgspec.Struct, frozen=True):
    """How feeds are published."""

    flush_s: float = 0.002  # the shortest time between two rounds: bounds the number of messages
    idle_s: float = 0.02  # the longest, while feeds have nothing due
    most_rows: int = 4_000  # rows of one message
    stall_s: float = 0.05  # a round whose first tick is later than this is one that the bus held up
    lead_s: float = 0.05  # stored ticks begin so long after the session opens
    retry_s: float = 0.2  # pause before a bus that failed is tried again
