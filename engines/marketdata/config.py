"""Settings of the replay and of the paper venue."""

import msgspec


class ReplayConfig(msgspec.Struct, frozen=True):
    """How a day is published.  Times are wall seconds."""

    flush_s: float = 0.025  # one batch covers this much of the schedule
    outside_speed: float = 2_000.0  # market seconds per wall second before and after the measured window
    most_rows: int = 4_000  # rows of one message
    in_flight: int = 64  # batches that a consumer may be behind outside the window
    check_every: int = 8  # batches between two looks at the consumers
    patience_s: float = 3.0  # a consumer that has not moved for so long is not waited for
    drain_s: float = 15.0  # the longest wait before the window for consumers to catch up
    settle_s: float = 0.5  # then what they made of it reaches its own consumers
    resume_s: float = 120.0  # an interrupted replay older than this is closed, not resumed
    retry_s: float = 0.2  # pause before a bus that failed is tried again


class VenueConfig(msgspec.Struct, frozen=True):
    """The paper venue.  Fees are 1/10,000 of a currency unit.

    An order is on its way for `latency_ns` of market time, and up to `jitter_ns` more, which its id and the replay's
    seed decide.
    """

    latency_ns: int = 1_000_000
    jitter_ns: int = 500_000
    fee_per_share: int = 35
    fee_per_contract: int = 8_500  # of instruments whose multiplier exceeds 1
    owner: str = "strategy"  # the engine whose orders these are: when it goes, they go
    tier_2: tuple[str, ...] = ()  # by limit up - limit down; the bundle's shares are all of Tier 1
    most_quantity: int = 10**9
    most_price: int = 10**13
