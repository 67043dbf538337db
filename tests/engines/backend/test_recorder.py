"""Recording happens exactly once: real Valkey, real DuckDB, real processes that are killed at random instants."""

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.backend.config import Grouping
from engines.backend.recorder import Recorder, stored
from engines.backend.service import engine
from engines.kit.store import Batch, Position, Store, StoreError
from engines.wire.bus import Bus, Commit, Entry, Ledger, MemoryBus, Output, dead_topic
from engines.wire.errors import BusError, CommitUnknown, Fenced, MessageError
from engines.wire.messages import (
    Body,
    Fleet,
    FleetEngine,
    Header,
    Session,
    Signal,
    Trades,
    decode,
    encode_body,
    encode_header,
)
from engines.wire.redis_bus import RedisBus
from engines.wire.ticks import TRADE
from tests.engines.backend.recorder_child import MAIN, MARKET, POINTS

TOPICS = [*MAIN, *MARKET]
NOW = Grouping(wait_s=0.001)


def trades(first: int, count: int) -> Trades:
    rows = np.zeros(count, TRADE)
    rows["ts"] = np.arange(first, first + count)
    rows["symbol"] = rows["ts"] % 2
    rows["side"] = 1
    rows["price"] = rows["ts"] * 3
    rows["size"] = 7
    return Trades(("SPX", "AAPL"), rows.tobytes())


def message(body: Body, seq: int, trace: str = "r1/window") -> Output:
    header = Header("source", 1, seq, "", seq, trace, 10**18 + seq, seq, seq)
    return Output(body.TOPIC, encode_header(header), encode_body(body))


def session(event: str, trace_seq: int, trace: str) -> Output:
    return message(Session(event, "s", "2010-05-06", ("SPX", "AAPL"), ("AAPL",), 1, "d", 1.0), trace_seq, trace)


def rows_of(file: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


# ------------------------------------------------------------------------------------------- real processes
class Publisher:
    """Publishes numbered messages to both buses and remembers every body's bytes."""

    def __init__(self, main: RedisBus, market: RedisBus) -> None:
        self.buses = {"signals": main, "trades": market}
        self.sent: dict[str, list[bytes]] = {"signals": [], "trades": []}
        self.ticks = 0

    async def publish(self, chance: random.Random) -> None:
        count = chance.randint(1, 30)
        for topic, bus in self.buses.items():
            outputs = []
            for _ in range(count):
                seq = len(self.sent[topic]) + 1
                body = Signal("s", "x", seq, "é\0" * seq) if topic == "signals" else trades(self.ticks, 5)
                self.ticks += 5 * (topic == "trades")
                output = message(body, seq)
                self.sent[topic].append(output.body)
                outputs.append((output, f"{seq}-1"))
            assert await bus.append(outputs) == count


@pytest.mark.slow
def test_kill_nine_at_random_instants_loses_and_doubles_nothing(valkey_url: str, tmp_path: Path) -> None:
    file = tmp_path / "store.duckdb"
    urls = (valkey_url.replace("db=0", "db=4"), valkey_url.replace("db=0", "db=5"))
    chance = random.Random(1)
    asyncio.run(kill_often(urls, file, chance))


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_between_any_two_steps_of_a_commit_loses_and_doubles_nothing(
    valkey_url: str, tmp_path: Path, point: str
) -> None:
    file = tmp_path / "store.duckdb"
    urls = (valkey_url.replace("db=0", "db=6"), valkey_url.replace("db=0", "db=7"))
    asyncio.run(kill_inside(urls, file, point))


async def kill_inside(urls: tuple[str, str], file: Path, point: str) -> None:
    main, market = RedisBus(urls[0]), RedisBus(urls[1])
    for bus in (main, market):
        await bus._ask([("FLUSHDB",)])
    publisher, chance = Publisher(main, market), random.Random(2)
    with start(urls, file, f"{point}:3") as process:
        for _ in range(2000):
            if process.poll() is not None:
                break
            await publisher.publish(chance)
            await asyncio.sleep(0.01)
        assert process.returncode == -signal.SIGKILL
    ledger = await record_the_rest(urls, file, main, publisher)
    for bus in (main, market):
        await bus.close()
    check_exact(file, publisher, ledger)


async def record_the_rest(urls: tuple[str, str], file: Path, main: RedisBus, publisher: Publisher) -> Ledger:
    """Let a recorder come to the end of what was published; its ledger."""
    last = f"{len(publisher.sent['signals'])}-1"
    process = start(urls, file)
    for _ in range(3000):
        cursors = (await main.saved("backend")).cursors
        if cursors.get("signals") == cursors.get("trades") == last:
            break
        await asyncio.sleep(0.01)
    process.kill()
    process.wait()
    return msgspec.msgpack.decode((await main.saved("backend")).ledger, type=Ledger)


def start(urls: tuple[str, str], file: Path, *die: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "tests.engines.backend.recorder_child", *urls, str(file), *die]
    return subprocess.Popen(argv, stderr=subprocess.DEVNULL)


async def kill_often(urls: tuple[str, str], file: Path, chance: random.Random) -> None:
    main, market = RedisBus(urls[0]), RedisBus(urls[1])
    for bus in (main, market):
        await bus._ask([("FLUSHDB",)])
    publisher = Publisher(main, market)
    kills_while_recording = 0
    process = start(urls, file)
    for _ in range(3):
        epoch = (await main.saved("backend")).epoch
        lived = chance.uniform(0.0, 0.25)
        end = time.monotonic() + 20
        while time.monotonic() < end:  # until it has claimed, then a random while longer
            await publisher.publish(chance)
            await asyncio.sleep(0.004)
            saved = await main.saved("backend")
            if saved.epoch > epoch:
                end = min(end, time.monotonic() + lived)
                epoch = 10**9
        recorded = (await main.saved("backend")).cursors.get("signals", "0-0")
        kills_while_recording += recorded != f"{len(publisher.sent['signals'])}-1"
        process.kill()
        process.wait()
        process = start(urls, file)
    process.kill()
    process.wait()
    await publisher.publish(chance)
    ledger = await record_the_rest(urls, file, main, publisher)
    for bus in (main, market):
        await bus.close()
    assert kills_while_recording >= 2
    check_exact(file, publisher, ledger)


def check_exact(file: Path, publisher: Publisher, ledger: Ledger) -> None:
    for topic, bodies in publisher.sent.items():
        found = rows_of(file, f"SELECT entry_id, seq, body FROM messages WHERE topic = '{topic}' ORDER BY rowid")
        assert [entry_id for entry_id, _, _ in found] == [f"{n}-1" for n in range(1, len(bodies) + 1)]
        assert [seq for _, seq, _ in found] == list(range(1, len(bodies) + 1))
        assert [body for _, _, body in found] == bodies
        counts = ledger.topics[topic]
        assert (counts.processed, counts.dead, counts.missing, counts.reordered) == (len(bodies), 0, 0, 0)
        assert counts.deliveries == counts.processed + counts.redeliveries
    expected = [(n, ("SPX", "AAPL")[n % 2], 1, 3 * n, 7) for n in range(publisher.ticks)]
    assert rows_of(file, "SELECT ts, symbol, side, price, size FROM trades ORDER BY rowid") == expected


# ------------------------------------------------------------------------------------------- one process
class FaultyBus:
    """A bus whose next commit is lost on the way there, or whose reply is lost on the way back."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.fault: str | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self.bus, name)

    async def commit(self, commit: Commit) -> None:
        fault, self.fault = self.fault, None
        if fault == "request lost":
            raise CommitUnknown("request lost")
        await self.bus.commit(commit)
        if fault == "reply lost":
            raise CommitUnknown("reply lost")


def recorder(bus: Bus, file: Path, grouping: Grouping = NOW) -> Recorder:
    return Recorder(engine, TOPICS, bus, time.monotonic_ns, Store(file), grouping)


async def put(bus: Bus, outputs: list[Output], first: int) -> None:
    assert await bus.append([(output, f"{first + n}-0") for n, output in enumerate(outputs)]) == len(outputs)


def rows_in(unit: Recorder) -> int:
    """Rows that are committed, as the recorder remembers them: its connection belongs to its thread."""
    return sum(count.rows for count in unit.state.topics.values())


async def read(unit: Recorder, bus: Bus) -> list[Entry]:
    return await bus.read(unit.positions, 100, 0)


@pytest.mark.parametrize("fault", ["request lost", "reply lost"])
def test_an_unknown_bus_commit_repeats_nothing_and_dead_letters_reach_the_bus_once(tmp_path: Path, fault: str) -> None:
    async def run() -> None:
        bus = FaultyBus(MemoryBus())
        unit = recorder(bus, tmp_path / "s.duckdb")
        await unit.claim()
        bad = Output("signals", message(Signal("s", "x", 2, ""), 2).header, b"\xc1")
        await put(bus, [message(Signal("s", "x", 1, ""), 1), bad], 1)
        batch = await read(unit, bus)
        bus.fault = fault
        await unit.process(batch)
        with pytest.raises(CommitUnknown):
            await unit.flush()
        with pytest.raises(CommitUnknown):
            await unit.process(batch)  # what the consumer sees
        await unit.claim()
        assert await read(unit, bus) == []
        saved = await bus.saved("backend")
        assert saved.cursors["signals"] == saved.state_cursors["signals"] == "2-0"
        assert (await bus.stats(dead_topic("backend"))).added == 1
        counts = msgspec.msgpack.decode(saved.ledger, type=Ledger).topics["signals"]
        assert (counts.deliveries, counts.processed, counts.dead) == (2, 1, 1)
        unit.close()

    asyncio.run(run())
    file = tmp_path / "s.duckdb"
    assert rows_of(file, "SELECT entry_id FROM messages") == [("1-0",)]
    ((entry_id, reason, body),) = rows_of(file, "SELECT entry_id, reason, body FROM dead_letters")
    assert (entry_id, body) == ("2-0", b"\xc1")
    assert "cannot be decoded" in reason


def test_a_commit_that_stands_although_an_error_answered_it_is_in_the_picture(tmp_path: Path) -> None:
    """As when the checkpoint behind a commit finds no room on the disk."""

    class Unsure(Store):
        unsure = False

        def write(self, epoch: int, batch: Batch, position: Position, mono_ns: int) -> None:
            super().write(epoch, batch, position, mono_ns)
            if self.unsure:
                self.unsure = False
                raise StoreError("The store cannot be written.", "no room for its checkpoint")

    async def run() -> None:
        bus, store = MemoryBus(), Unsure(tmp_path / "s.duckdb")
        unit = Recorder(engine, TOPICS, bus, time.monotonic_ns, store, NOW)
        await unit.claim()
        await put(bus, [message(Signal("s", "x", n, ""), n) for n in (1, 2)], 1)
        store.unsure = True
        await unit.process(await read(unit, bus))
        with pytest.raises(BusError):
            await unit.flush()
        await unit.claim()
        assert await read(unit, bus) == [] and rows_in(unit) == 2
        await put(bus, [message(Signal("s", "x", 3, ""), 3)], 3)
        await unit.process(await read(unit, bus))
        await unit.flush()
        assert rows_in(unit) == 3
        unit.close()

    asyncio.run(run())
    assert rows_of(tmp_path / "s.duckdb", "SELECT entry_id FROM messages") == [("1-0",), ("2-0",), ("3-0",)]


def test_a_fenced_recorder_stops_and_writes_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        bus = MemoryBus()
        grouping = Grouping(wait_s=30)
        old, new = recorder(bus, tmp_path / "s.duckdb", grouping), recorder(bus, tmp_path / "s.duckdb", grouping)
        await old.claim()
        await put(bus, [message(Signal("s", "x", n, ""), n) for n in range(1, 4)], 1)
        batch = await read(old, bus)
        await old.process(batch)
        await new.claim()  # before the old one commits
        with pytest.raises(Fenced):
            await old.flush()
        with pytest.raises(Fenced):
            await old.process(batch)
        await new.process(await read(new, bus))
        await new.flush()
        old.close()
        new.close()

    asyncio.run(run())
    assert rows_of(tmp_path / "s.duckdb", "SELECT entry_id FROM messages") == [("1-0",), ("2-0",), ("3-0",)]


def test_a_store_that_another_process_holds_is_a_bus_error_that_is_tried_again(tmp_path: Path) -> None:
    file = tmp_path / "s.duckdb"
    code = f"import duckdb, sys; c = duckdb.connect({str(file)!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == b"held\n"

        async def run() -> None:
            unit = recorder(MemoryBus(), file)
            with pytest.raises(BusError) as caught:
                await unit.claim()
            assert type(caught.value) is BusError  # what the consumer tries again
            holder.stdin.close()
            holder.wait(10)
            await unit.claim()
            unit.close()

        asyncio.run(run())


def test_small_batches_share_a_transaction_and_a_full_buffer_does_not_wait(tmp_path: Path) -> None:
    async def run() -> None:
        bus = MemoryBus()
        unit = recorder(bus, tmp_path / "s.duckdb", Grouping(wait_s=30, entries=10))
        await unit.claim()
        await put(bus, [message(Signal("s", "x", n, ""), n) for n in range(1, 13)], 1)
        entries = await read(unit, bus)
        await unit.process(entries[:4])
        await unit.process(entries[4:8])
        assert (len(unit.pending), unit.last) == (8, None)
        await unit.process(entries[8:])
        assert len(unit.pending) == 0
        assert unit.last is not None
        assert unit.last.messages == 12
        unit.close()

    asyncio.run(run())
    assert rows_of(tmp_path / "s.duckdb", "SELECT count(*), count(DISTINCT mono_recorded) FROM messages") == [(12, 1)]


def test_a_lone_message_is_committed_without_another_one(tmp_path: Path) -> None:
    async def run() -> None:
        bus = MemoryBus()
        unit = recorder(bus, tmp_path / "s.duckdb", Grouping(wait_s=0.01))
        await unit.claim()
        await put(bus, [message(Signal("s", "x", 1, ""), 1)], 1)
        await unit.process(await read(unit, bus))
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if unit.last is not None:
                break
        assert rows_in(unit) == 1
        unit.close()

    asyncio.run(run())


def test_what_comes_during_a_commit_is_committed_without_another_message(tmp_path: Path) -> None:
    async def run() -> None:
        bus = MemoryBus()
        unit = recorder(bus, tmp_path / "s.duckdb")
        await unit.claim()
        await put(bus, [message(Signal("s", "x", n, ""), n) for n in (1, 2)], 1)
        first, second = await read(unit, bus)
        write, entered, go_on = unit.store.write, threading.Event(), threading.Event()

        def slow(*args: object) -> None:
            entered.set()
            assert go_on.wait(10)
            write(*args)

        unit.store.write = slow
        await unit.process([first])
        assert await asyncio.to_thread(entered.wait, 10)
        await unit.process([second])
        go_on.set()
        for _ in range(500):
            await asyncio.sleep(0.01)
            if rows_in(unit) == 2:
                break
        assert rows_in(unit) == 2
        unit.close()

    asyncio.run(run())


def test_after_a_restart_the_picture_is_that_of_the_store(tmp_path: Path) -> None:
    fleet = message(Fleet((FleetEngine("risk", "READY", 7, 0),)), 1, "")

    async def run() -> None:
        bus = MemoryBus()
        unit = recorder(bus, tmp_path / "s.duckdb")
        await unit.claim()
        await put(bus, [fleet, message(trades(0, 5), 1), session("open", 1, "r1/before")], 1)
        await put(bus, [session("close", 2, "r1/after")], 9)
        await unit.process(await read(unit, bus))
        await unit.flush()
        before = unit.state
        assert before.fleet == Fleet((FleetEngine("risk", "READY", 7, 0),))
        assert before.tape_rows == 5
        assert before.closed == ["r1"]
        unit.close()
        again = recorder(bus, tmp_path / "s.duckdb")
        await again.claim()
        assert again.state.topics == before.topics
        assert again.state.runs == before.runs
        assert again.state.closed == before.closed
        assert again.ledger.topics == unit.ledger.topics
        again.close()

    asyncio.run(run())


def test_a_new_bus_is_read_from_its_start(tmp_path: Path) -> None:
    async def record_one() -> None:
        bus = MemoryBus()  # epochs begin anew
        unit = recorder(bus, tmp_path / "s.duckdb")
        await unit.claim()
        await put(bus, [message(Signal("s", "x", 1, ""), 1)], 1)
        await unit.process(await read(unit, bus))
        await unit.flush()
        unit.close()

    asyncio.run(record_one())
    asyncio.run(record_one())
    assert rows_of(tmp_path / "s.duckdb", "SELECT entry_id FROM messages") == [("1-0",), ("1-0",)]


# ------------------------------------------------------------------------------------------------- rows
def envelope(body: Body, header: Header):
    return decode(body.TOPIC, "1-0", encode_header(header), encode_body(body))


HEADER = Header("p", 1, 1, "", 0, "t", 0, 0, 0)


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (Trades(("A",), b"\0" * (TRADE.itemsize + 1)), HEADER),
        (Trades((), b"\0" * TRADE.itemsize), HEADER),
        (Signal("s", "x", 1, ""), msgspec.structs.replace(HEADER, ts_event=2**63)),
    ],
    ids=["torn", "unknown symbol", "too large a number"],
)
def test_what_cannot_be_stored_is_a_dead_letter(body: Body, header: Header) -> None:
    with pytest.raises(MessageError):
        stored(envelope(body, header), b"")


@settings(max_examples=12, deadline=None)
@given(
    texts=st.lists(st.text(max_size=20), min_size=1, max_size=6),
    bodies=st.lists(st.binary(max_size=50), min_size=6, max_size=6),
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=6, max_size=6),
)
def test_any_text_bytes_and_numbers_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], bodies: list[bytes], numbers: list[int]
) -> None:
    from engines.kit.store import Batch, Position, Row

    store = Store(tmp_path_factory.mktemp("s") / "s.duckdb")
    store.open()
    store.claim(1)
    rows = [
        Row("signals", f"{n}-0", t, numbers[n], 1, t, 1, t, numbers[n], 0, 0, t, bodies[n], None if n % 2 else t)
        for n, t in enumerate(texts)
    ]
    store.write(1, Batch(rows, [], []), Position({}, b""), 5)
    store.close()
    found = rows_of(store.file, "SELECT * EXCLUDE (mono_recorded) FROM messages ORDER BY rowid")
    assert found == [tuple(row) for row in rows]
