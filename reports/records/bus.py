"""Records of the buses: each consumer's account and the latency between engines."""

from reports.records.base import Amount, Count, HlogUnit, Record


class Ledger(Record, frozen=True, kw_only=True):
    """One consumer's account of one topic over ``seconds``:
    published = processed_unique + dead_lettered + pending + lost; deliveries = processed_unique + dead_lettered +
    redeliveries.
    """

    bus: str
    topic: str
    consumer: str
    seconds: Amount
    published: Count
    processed_unique: Count
    dead_lettered: Count
    pending: Count
    lost: Count
    deliveries: Count
    redeliveries: Count
    reordered: Count


class Hop(Record, frozen=True, kw_only=True):
    """Latency of one stage between engines: tick-to-risk, tick-to-signal, order-to-fill."""

    phase: str
    name: str
    hlog: str
    hlog_unit: HlogUnit = "us"
    count: Count
