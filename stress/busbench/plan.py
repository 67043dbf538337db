"""What a publisher and a subscriber are told, and what each counts on its own side.

Plans hold the buses' passwords: they travel through standard input.
"""

from typing import Literal

import msgspec

from engines.wire.messages import BusName
from stress.busbench.sequences import Sequence

Work = Literal["single", "ticks", "channels"]
WARM_UP = "warm-up"  # the trace of messages whose latency does not count


class Publish(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One publisher on one bus.

    single: one message an entry.  ticks: `rows` ticks a message.  channels: one message of every class of the bus.
    `batch`: entries that leave together, at most; `rate`: messages a second, evenly spaced, 0 as fast as they go.
    What leaves in the first `warm_s` seconds is counted, but its latency is not.
    """

    parent: int  # the process whose end is this one's
    bus: BusName
    url: str
    producer: str
    work: Work
    seconds: float
    batch: int = 128
    rows: int = 1
    rate: float = 0.0
    warm_s: float = 0.0
    most: int = 0  # messages; 0: as many as go into the time


class Subscribe(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One consumer of one bus; its cursors are committed on the main bus.

    `work` is the publisher's: of ticks each tick is counted too, of channels each body is compared with what was sent.
    """

    parent: int
    bus: BusName
    url: str
    main_url: str
    owner: str
    topics: tuple[str, ...]
    work: Work


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """The publisher's side.  Stamps are CLOCK_MONOTONIC ns.

    `lag_p99_ms`: from when a message should have left to its own stamp; None where no rate was asked for.
    `stalls`: commits that the server refused for want of memory, and that were tried again.
    """

    messages: dict[str, int]
    ticks: int
    began_ns: int
    lag_p99_ms: float | None
    stalls: int
    cpu_s: float


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The subscriber's side.  The histograms are HdrHistogram's compressed base64 of microseconds.

    `sent_hdr`: from the publisher's stamp to the commit of this consumer; `intended_hdr`: from the intended time.
    """

    numbers: dict[str, Sequence]
    ticks: Sequence
    undecodable: int
    changed: int
    last_ns: int
    sent_hdr: str
    intended_hdr: str
    cpu_s: float


Plan = Publish | Subscribe
