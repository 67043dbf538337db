"""The benchmark: channels, single messages, batches of ticks, an even rate; each over a pair of servers of its own."""

import os
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec
from hdrh.histogram import HdrHistogram

from engines.fleet.buses import Bus
from engines.wire.messages import TOPICS, BusName
from stress.busbench import peer, servers, workers
from stress.busbench.plan import Publish, Published, Seen, Subscribe, Work
from stress.busbench.sequences import Account, total
from stress.host import host_record

SINGLE_PER_S = 45_000.0
TICKS_PER_S = 1_000_000.0
PACED_PER_S = 15_000.0
PACED_P99_MS = 5.0
WARM_SHARE = 0.1  # of a paced run: its first messages are counted, and their latency left out
BATCH = 128
TICK_ROWS = 512
PEER_REQUESTS = 200_000
ModeName = Literal["channels", "single", "ticks", "paced"]
_TOPIC: dict[BusName, str] = {"main": "orders", "market": "trades"}
_WORK: dict[ModeName, tuple[tuple[BusName, Work], ...]] = {
    "channels": (("main", "channels"), ("market", "channels")),
    "single": (("main", "single"), ("market", "single")),
    "ticks": (("market", "ticks"),),
    "paced": (("main", "single"), ("market", "single")),
}
_TITLES: dict[ModeName, str] = {
    "channels": "every class on every topic",
    "single": "single messages, both buses",
    "ticks": f"ticks, {TICK_ROWS} a message, market bus",
}


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds."""

    count: int
    p50: float
    p99: float
    p999: float
    most: float


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a mode; `met` is False too where messages were lost."""

    text: str
    met: bool


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One topic, counted on both sides."""

    bus: BusName
    topic: str
    account: Account


class Mode(msgspec.Struct, frozen=True, kw_only=True):
    """One mode's figures.

    `per_s`: delivered messages (ticks where the mode is of ticks) a second, from the first publisher's begin to the
    last commit of a consumer.  `sent`: latency from the publisher's stamp; `intended`: from when it should have left.
    `cpu_s`: processor seconds of publishers and subscribers, servers left out.
    """

    name: ModeName
    title: str
    seconds: float
    messages: Account
    ticks: Account | None
    per_s: float
    undecodable: int
    changed: int
    stalls: int
    lag_p99_ms: float | None
    sent: Latency | None
    intended: Latency | None
    cpu_s: float
    channels: tuple[Channel, ...]
    target: Target | None = None

    @property
    def whole(self) -> bool:
        """Everything delivered once, in order and as it was sent."""
        return self.messages.whole and (self.ticks is None or self.ticks.whole) and not self.undecodable + self.changed


class Measured(NamedTuple):
    """One mode and the histogram of its latency in microseconds: from the intended time where it is paced, else from
    the publisher's stamp.
    """

    mode: Mode
    latency: HdrHistogram


class BusBench(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.bus-bench/1` document."""

    schema: str = "nautilus.bus-bench/1"
    cpu_model: str
    cores: int
    load_average: float
    bus_version: str
    modes: tuple[Mode, ...]
    peer: peer.Peer

    @property
    def whole(self) -> bool:
        """Nothing was lost, doubled, reordered or changed in any mode."""
        return all(mode.whole for mode in self.modes)


def run(seconds: float, say: Callable[[str], None] = lambda _: None) -> BusBench:
    """All modes, `seconds` of publishing each, and redis-benchmark.  Raises BenchError, BusError."""
    host = host_record()
    load = os.getloadavg()[0]
    modes = []
    for mode in (channels, single, ticks, paced):
        say(f"{mode.__name__}: {(mode.__doc__ or '').partition('.')[0]}")
        modes.append(mode(seconds))
    say(f"{peer.TOOL}: the same entries, published only")
    beside = peer.measure(PEER_REQUESTS, BATCH)
    return BusBench(
        cpu_model=host.cpu_model, cores=host.cores, load_average=load, bus_version=host.bus_version,
        modes=tuple(modes), peer=beside,
    )  # fmt: skip


def channels(seconds: float = 10.0) -> Mode:
    """One message of every class on every topic, compared with what was sent."""
    return _measure("channels", seconds).mode


def single(seconds: float, most: int = 0) -> Mode:
    """Single messages over both buses, as fast as they go."""
    mode = _measure("single", seconds, most).mode
    text = f">= {SINGLE_PER_S:,.0f} messages/s delivered, none lost"
    return msgspec.structs.replace(mode, target=Target(text=text, met=mode.per_s >= SINGLE_PER_S and mode.whole))


def ticks(seconds: float, most: int = 0) -> Mode:
    """Batches of ticks over the market bus, as fast as they go."""
    mode = _measure("ticks", seconds, most).mode
    text = f">= {TICKS_PER_S:,.0f} ticks/s delivered, none lost"
    return msgspec.structs.replace(mode, target=Target(text=text, met=mode.per_s >= TICKS_PER_S and mode.whole))


def paced(seconds: float, rate: float = PACED_PER_S) -> Mode:
    """Single messages over both buses at an even rate, latency from the intended time."""
    mode = _measure("paced", seconds, rate=rate).mode
    p99 = mode.intended.p99 if mode.intended is not None else None
    text = f"p99 <= {PACED_P99_MS:g} ms at {rate:,.0f}/s"
    kept = mode.per_s >= 0.95 * rate
    met = p99 is not None and p99 <= PACED_P99_MS and kept and mode.whole
    return msgspec.structs.replace(mode, target=Target(text=text, met=met))


def measured(name: ModeName, seconds: float) -> Measured:
    """One mode with the histogram of its latency.  Raises BenchError, BusError."""
    return _measure(name, seconds, rate=PACED_PER_S if name == "paced" else 0.0)


def _measure(name: ModeName, seconds: float, most: int = 0, *, rate: float = 0.0) -> Measured:
    work = _WORK[name]
    with servers.pair() as pair:
        publishers = [_publish(pair[bus], each, seconds, most, rate / len(work)) for bus, each in work]
        subscribers = [_subscribe(pair, bus, each) for bus, each in work]
        published, seen = workers.measure(publishers, subscribers)
    title = f"{rate:,.0f} messages/s, both buses" if rate else _TITLES[name]
    mode = account(name, title, [bus for bus, _ in work], published, seen)
    return Measured(mode, _merged([got.intended_hdr if rate else got.sent_hdr for got in seen]))


def account(
    name: ModeName,
    title: str,
    where: Sequence[BusName],
    published: Sequence[Published],
    seen: Sequence[Seen],
) -> Mode:
    """Both sides of each bus put against each other."""
    found = [
        Channel(bus=bus, topic=topic, account=sequence.against(sent.messages.get(topic, 0)))
        for bus, sent, got in zip(where, published, seen, strict=True)
        for topic, sequence in got.numbers.items()
    ]
    messages = total([channel.account for channel in found])
    ticked = total([got.ticks.against(sent.ticks) for sent, got in zip(published, seen, strict=True)])
    seconds = (max(got.last_ns for got in seen) - min(sent.began_ns for sent in published)) / 1e9
    lags = [sent.lag_p99_ms for sent in published if sent.lag_p99_ms is not None]
    delivered = ticked.delivered if name == "ticks" else messages.delivered
    return Mode(
        name=name,
        title=title,
        seconds=seconds,
        messages=messages,
        ticks=ticked if name == "ticks" else None,
        per_s=delivered / seconds if seconds > 0 else 0.0,
        undecodable=sum(got.undecodable for got in seen),
        changed=sum(got.changed for got in seen),
        stalls=sum(sent.stalls for sent in published),
        lag_p99_ms=max(lags, default=None),
        sent=_latency([got.sent_hdr for got in seen]),
        intended=_latency([got.intended_hdr for got in seen]) if lags else None,
        cpu_s=sum(sent.cpu_s for sent in published) + sum(got.cpu_s for got in seen),
        channels=tuple(found),
    )


def _publish(bus: Bus, work: Work, seconds: float, most: int, rate: float) -> Publish:
    rows = TICK_ROWS if work == "ticks" else 1
    return Publish(
        parent=os.getpid(), bus=bus.name, url=bus.url, producer=f"bench-{bus.name}", work=work, seconds=seconds,
        warm_s=WARM_SHARE * seconds if rate else 0.0, batch=BATCH if rows == 1 else BATCH // 8, rows=rows, rate=rate,
        most=most,
    )  # fmt: skip


def _subscribe(pair: dict[BusName, Bus], bus: BusName, work: Work) -> Subscribe:
    topics = tuple(t for t, home in TOPICS.items() if home == bus) if work == "channels" else (_TOPIC[bus],)
    return Subscribe(
        parent=os.getpid(), bus=bus, url=pair[bus].url, main_url=pair["main"].url, owner=f"bench-reader-{bus}",
        topics=topics, work=work,
    )  # fmt: skip


def _merged(histograms: Sequence[str]) -> HdrHistogram:
    merged = HdrHistogram.decode(histograms[0])
    for each in histograms[1:]:
        merged.decode_and_add(each)
    return merged


def _latency(histograms: Sequence[str]) -> Latency | None:
    merged = _merged(histograms)
    count = merged.get_total_count()
    if not count:
        return None
    p50, p99, p999 = (merged.get_value_at_percentile(p) / 1e3 for p in (50, 99, 99.9))
    return Latency(count=count, p50=p50, p99=p99, p999=p999, most=merged.get_max_value() / 1e3)
