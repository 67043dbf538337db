"""The ledger counts what the bus counts, and loss shows."""

import asyncio

import msgspec
import pytest
from hdrh.histogram import HdrHistogram

from engines.wire.bus import Commit, Counts, Ledger, MemoryBus, Output
from engines.wire.manifest import Manifest
from engines.wire.messages import Denied, Fill, Filled, Halt, Header, Order, encode_body, encode_header
from reports import records
from stress import settle

MANIFESTS = (Manifest(name="a", title="", port=2000, consumes=("signals",)),)


def row(topic: str, body, entry_id: str, sent: int = 0, trace: str = "r1/window"):
    header = Header("p", 1, 1, "", 0, trace, 0, 0, sent)
    return Output(topic, encode_header(header), encode_body(body)), entry_id


async def account(published: int, processed: int, dead: int, cursor: int, missing: int = 0) -> records.Ledger:
    bus = MemoryBus()
    await bus.append([(Output("signals", b"", b""), f"1-{n}") for n in range(1, published + 1)])
    epoch = (await bus.claim("a")).epoch
    counts = Counts(processed + dead, processed, dead, 0, missing, 0)
    book = msgspec.msgpack.encode(Ledger({"signals": counts}))
    await bus.commit(Commit(owner="a", epoch=epoch, cursors={"signals": f"1-{cursor}"}, ledger=book))
    (made,) = await settle.ledger({"main": bus, "market": bus}, MANIFESTS, 1.0)
    return made


def test_balanced() -> None:
    made = asyncio.run(account(published=10, processed=7, dead=1, cursor=8))
    assert (made.published, made.processed_unique, made.dead_lettered, made.pending, made.lost) == (10, 7, 1, 2, 0)


def test_a_lost_message_shows() -> None:
    assert asyncio.run(account(published=10, processed=9, dead=0, cursor=10)).lost == 1
    assert asyncio.run(account(published=10, processed=10, dead=0, cursor=10, missing=3)).lost == 3


def test_drained_waits_for_the_cursors() -> None:
    async def main(cursor: int) -> bool:
        bus = MemoryBus()
        await bus.append([(Output("signals", b"", b""), f"1-{n}") for n in range(1, 4)])
        epoch = (await bus.claim("a")).epoch
        await bus.commit(Commit(owner="a", epoch=epoch, cursors={"signals": f"1-{cursor}"}))
        return await settle.drained({"main": bus, "market": bus}, MANIFESTS, 0.6)

    assert asyncio.run(main(3)) is True
    assert asyncio.run(main(2)) is False


def test_order_to_fill_counts_only_its_trace() -> None:
    async def main() -> HdrHistogram:
        bus = MemoryBus()
        order = lambda i: Order(i, "s", "AAPL", 1, 5)  # noqa: E731
        await bus.append(
            [row("orders", order("x"), "1-1", 1_000_000), row("orders", order("y"), "1-2", 0, "r1/before")]
        )
        fill = lambda i: Fill(i, i, "s", "AAPL", 1, 5, 100, 0, 1)  # noqa: E731
        await bus.append([row("fills", fill("x"), "1-1", 4_000_000), row("fills", fill("y"), "1-2", 9_000_000)])
        return await settle.order_to_fill(bus, "r1/window", settle.Taken())

    histogram = asyncio.run(main())
    assert histogram.get_total_count() == 1
    assert histogram.get_max_value() == pytest.approx(3000, rel=1e-3)  # three digits


def test_outcomes_are_observed_even_when_there_are_none() -> None:
    async def main(halts: int) -> list[records.AnyRecord]:
        bus = MemoryBus()
        body = Halt("pause", 0, "ESX", 5, 9, "stop-logic")
        await bus.append([row("halts", body, f"1-{n + 1}") for n in range(halts)])
        return await settle.outcomes(bus, "after", settle.Taken())

    none, one = asyncio.run(main(0)), asyncio.run(main(1))
    assert [r.seen for r in none if isinstance(r, records.Observer)] == [0, 0, 0]
    (halt,) = [r for r in one if isinstance(r, records.Halt)]
    assert (halt.kind, halt.level, halt.symbol, halt.start_ns, halt.end_ns) == ("pause", None, "ESX", 5, 9)


def test_refused_orders_are_counted_by_their_reason() -> None:
    async def main() -> list[records.AnyRecord]:
        bus, taken = MemoryBus(), settle.Taken()
        found: list[records.AnyRecord] = []
        for n, codes in enumerate((["HALTED", "MARGIN", "HALTED"], ["MARGIN"])):
            bodies = [*(Denied(f"o{n}{k}", "AAPL", code, "") for k, code in enumerate(codes)), Filled("x", "AAPL")]
            await bus.append([row("order-events", body, f"{n + 1}-{k}") for k, body in enumerate(bodies)])
            found += await settle.outcomes(bus, f"after-{n}", taken)
        return found

    found = asyncio.run(main())
    denials = [(r.phase, r.code, r.count) for r in found if isinstance(r, records.Denial)]
    assert denials == [("after-0", "HALTED", 2), ("after-0", "MARGIN", 1), ("after-1", "MARGIN", 1)]
    assert [r.seen for r in found if isinstance(r, records.Observer) and r.subject == "denials"] == [3, 4]


def test_an_account_takes_what_came_since_the_last_one() -> None:
    async def main() -> list[list[records.AnyRecord]]:
        bus, taken = MemoryBus(), settle.Taken()
        found = []
        for day in (1, 2, 3):
            body = Halt("market-wide", 1, "*", day, day + 1, "Rule 80B of 2013")
            await bus.append([row("halts", body, f"{day}-1")] if day < 3 else [])
            found.append(await settle.outcomes(bus, "after", taken))
        return found

    accounts = asyncio.run(main())
    halts = [[r.start_ns for r in account if isinstance(r, records.Halt)] for account in accounts]
    seen = [[r.seen for r in account if isinstance(r, records.Observer)] for account in accounts]
    assert halts == [[1], [2], []]
    assert seen == [[1, 0, 0], [2, 0, 0], [2, 0, 0]]  # of halts, alerts and denials, since the first account


def test_fills_of_an_earlier_account_are_not_timed_again() -> None:
    async def main() -> list[int]:
        bus, taken = MemoryBus(), settle.Taken()
        counts = []
        for n in (1, 2):
            await bus.append([row("orders", Order(f"o{n}", "s", "AAPL", 1, 5), f"{n}-1", 1_000_000)])
            await bus.append([row("fills", Fill(f"f{n}", f"o{n}", "s", "AAPL", 1, 5, 100, 0, 1), f"{n}-1", 2_000_000)])
            counts.append((await settle.order_to_fill(bus, "r1/window", taken)).get_total_count())
        return counts

    assert asyncio.run(main()) == [1, 1]


def test_what_cannot_be_decoded_is_the_consumers_and_stops_no_account() -> None:
    async def main() -> list[records.AnyRecord]:
        bus = MemoryBus()
        await bus.append([(Output("order-events", b"\xff", b"\xff"), "1-1")])
        await bus.append([row("order-events", Denied("o", "AAPL", "HALTED", ""), "2-1")])
        return await settle.outcomes(bus, "after", settle.Taken())

    assert [record.code for record in asyncio.run(main()) if isinstance(record, records.Denial)] == ["HALTED"]
