"""All checkers: on a real replay they hold, one that raises is UNKNOWN, and evidence comes from buses and store."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from checks_rig import History, S, replayed, session

from engines.kit.store import Batch, Position, Store
from engines.wire.bus import Commit, Entry, Ledger, MemoryBus, Output
from engines.wire.manifest import discover
from engines.wire.messages import Envelope, Fill, Margin, Order, decode, encode_body, encode_header
from stress.checks import collect, sequences
from stress.checks.evidence import Evidence, Limits, Mark
from stress.checks.run import CLAUSES, run_all
from stress.checks.violation import Clause, Outcome, Status, Violation, judge, worst

LIMITS = Limits(
    order_shares=50_000, order_contracts=200, position_shares=100_000, position_contracts=400,
    position_notional=25_000_000 * 10_000, order_notional=12_000_000 * 10_000, gross_notional=60_000_000 * 10_000,
    open_orders=200, collar_percent=10,
)  # fmt: skip
SEQUENCES = "sequences contiguous per (producer, epoch, topic)"
NEVER = {  # what no message tells
    "cash over all accounts changes by zero, in integer cents",
    "no output uses any input with a later ts_event",
}


@pytest.fixture(scope="module")
def run() -> Evidence:
    made = replayed(ticks=8_000)
    return msgspec.structs.replace(made, limits=LIMITS)


def test_a_real_replay_holds(run: Evidence) -> None:
    outcomes = {outcome.clause: outcome for outcome in run_all(run)}
    assert len(outcomes) == len(CLAUSES)
    assert {outcome.invariant for outcome in outcomes.values()} == set(range(1, 12))
    unknown = {clause for clause, outcome in outcomes.items() if outcome.status is Status.UNKNOWN}
    assert [outcome for outcome in outcomes.values() if outcome.status is Status.BROKEN] == []
    assert unknown == NEVER | {"replay is bit-equal", "recorder = published"}
    assert len(run.topics["fills"]) > 10 and run.topics["halts"] and run.topics["vpin"]


def test_engines_that_lie_are_caught_by_name(run: Evidence) -> None:
    """The same replay with one message dropped, doubled or changed."""
    fills = run.topics["fills"]
    last = fills[-1]
    assert isinstance(last.body, Fill)
    worse = msgspec.structs.replace(last, body=msgspec.structs.replace(last.body, price=last.body.price + 1))
    margins = [(m, m.body) for m in run.topics["margin"] if isinstance(m.body, Margin)]
    careless = tuple(msgspec.structs.replace(m, body=msgspec.structs.replace(b, orders=0)) for m, b in margins)
    for topic, changed, clauses in (
        ("fills", fills[:-1], {"sum of fills <= quantity", "position = opening + signed fills + corporate actions"}),
        ("fills", (*fills, fills[0]), {"sum of fills <= quantity", SEQUENCES}),
        ("fills", (*fills[:-1], worse), {"fill on the tick", "the account's cash changes by what its fills paid"}),
        ("halts", (), {"halts recomputed from tape and rulebook: set equality"}),
        ("margin", careless, {"requirement 0 only with no open order"}),
        ("order-events", run.topics["order-events"][:-1], {"one terminal state"}),
        ("trades", run.topics["trades"][:-3], {"the tape's pins hold"}),
    ):  # fmt: skip
        added = {**run.added, topic: len(changed)}
        lie = msgspec.structs.replace(run, topics={**run.topics, topic: changed}, added=added)
        found = {outcome.clause for outcome in run_all(lie) if outcome.status is Status.BROKEN}
        assert clauses <= found, (topic, found)


def test_a_checker_that_raises_is_unknown() -> None:
    def crash(_: Evidence) -> tuple[Violation, ...]:
        return ({}["nothing"],)

    outcome = judge(Clause(4, "it raises", crash, ("halts",)), Evidence(topics={}))
    assert (outcome.status, outcome.why) == (Status.UNKNOWN, "the checker raised KeyError: 'nothing'")
    assert all(outcome.status is Status.UNKNOWN for outcome in run_all(Evidence(topics={})))


def test_nothing_passes_on_no_messages() -> None:
    held = {outcome.clause for outcome in run_all(History().evidence()) if outcome.status is Status.HOLDS}
    assert held == set()


def test_the_worst_clause_decides() -> None:
    def made(invariant: int, status: Status) -> Outcome:
        return Outcome(invariant=invariant, clause="", status=status)

    outcomes = [made(1, Status.HOLDS), made(1, Status.UNKNOWN), made(2, Status.BROKEN), made(2, Status.UNKNOWN)]
    assert worst(outcomes) == {1: Status.UNKNOWN, 2: Status.BROKEN}


def sent() -> list[Envelope]:
    history = History()
    history.add(session(), producer="tape")
    for number in range(3):
        history.add(Order(f"o{number}", "s", "AAPL", 1, 1), number * S, "strategy")
    return history.sent


def outputs(messages: list[Envelope]) -> list[tuple[Output, str]]:
    return [(Output(m.topic, encode_header(m.header), encode_body(m.body)), m.entry_id) for m in messages]


def test_evidence_from_the_buses_says_what_was_trimmed() -> None:
    async def main() -> Evidence:
        bus = MemoryBus()
        await bus.append(outputs(sent()))
        await bus.append([(Output("orders", b"\xc1", b"\xc1"), "99-0")])
        await bus.trim("orders", "3-0")
        return await collect.from_buses({"main": bus, "market": bus})

    evidence = asyncio.run(main())
    assert (len(evidence.of("orders")), evidence.added["orders"]) == (2, 4)
    assert evidence.trimmed("orders") and not evidence.trimmed("sessions")
    assert [(stray.entry_id, stray.header) for stray in evidence.strays] == [("99-0", None)]


def test_one_evidence_begins_where_another_ended() -> None:
    """Numbers go on, entries of before are left out, and what was trimmed is told per evidence."""

    async def main(lost: bool) -> tuple[Evidence, Evidence]:
        bus = MemoryBus()
        messages = sent()
        await bus.append(outputs(messages[:2]))
        first = await collect.from_buses({"main": bus, "market": bus})
        await bus.append(outputs(messages[3:] if lost else messages[2:]))
        until = collect.mark(first, Mark())
        return first, await collect.from_buses({"main": bus, "market": bus}, until)

    first, then = asyncio.run(main(lost=False))
    assert (len(first.of("orders")), len(then.of("orders")), then.added["orders"]) == (1, 2, 2)
    assert sequences.check_contiguous(then) == ()
    _, then = asyncio.run(main(lost=True))
    assert [each.words for each in sequences.check_contiguous(then)] == ["3 where 2 is due"]


def test_a_fleet_that_was_there_before_is_judged_from_then_on() -> None:
    async def main() -> Evidence:
        bus = MemoryBus()
        messages = sent()
        await bus.append(outputs(messages[:3]))
        epoch = (await bus.claim("backend")).epoch
        seen = {"tape/1/sessions": 1, "strategy/1/orders": 2}
        await bus.commit(
            Commit(owner="backend", epoch=epoch, cursors={}, ledger=msgspec.msgpack.encode(Ledger(seen=seen)))
        )
        began = await collect.begin({"main": bus, "market": bus})
        await bus.append(outputs(messages[3:]))
        return await collect.from_buses({"main": bus, "market": bus}, began)

    evidence = asyncio.run(main())
    assert [m.header.seq for m in evidence.of("orders")] == [3] and evidence.of("sessions") == ()
    assert not evidence.trimmed("orders") and sequences.check_contiguous(evidence) == ()


@pytest.mark.parametrize("exported", [False, True])
def test_the_store_makes_trimmed_topics_whole(tmp_path: Path, exported: bool) -> None:
    from engines.backend.recorder import stored

    messages = sent()
    store = Store(tmp_path / "nautilus.duckdb")
    store.open()
    store.claim(1)
    rows = [stored(m, encode_body(m.body))[0] for m in messages]
    store.write(1, Batch(rows, [], []), Position({}, b""), 0)
    if exported:
        store.export(tmp_path / "parquet", "r1")
    store.close()
    source = tmp_path / ("parquet" if exported else "nautilus.duckdb")
    kept = {m.topic: tuple(x for x in messages if x.topic == m.topic)[-1:] for m in messages}
    evidence = Evidence(topics=kept, added={"orders": 3, "sessions": 1})
    assert evidence.trimmed("orders")
    whole = collect.with_store(evidence, source, discover())
    assert [m.id for m in whole.of("orders")] == [m.id for m in messages if m.topic == "orders"]
    assert whole.recorded is not None and len(whole.recorded["orders"]) == 3
    entry = Entry("orders", messages[1].entry_id, encode_header(messages[1].header), encode_body(messages[1].body))
    assert whole.of("orders")[0] == decode(*entry)
