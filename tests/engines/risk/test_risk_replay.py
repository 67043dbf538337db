"""Determinism: the same messages give the same outputs, also with the state stored and loaded in between."""

import asyncio

import numpy as np
from desk_rig import SYMBOLS, Desk, order, session

from engines.kit import codec
from engines.kit.processor import Processor
from engines.marketdata.tape.tape import make
from engines.risk.model import State
from engines.risk.service import engine
from engines.wire import manifest
from engines.wire.bus import MemoryBus, Output
from engines.wire.messages import Body, Fill, Header, Levels, Margin, Trades, encode_body, encode_header
from engines.wire.scenario_file import load


def messages() -> list[Body]:
    """A crash with orders, fills and margin strewn in."""
    tape = make(load("flash-crash-2010"), 7)
    out: list[Body] = [session()]
    for number, start in enumerate(range(0, len(tape.trades), 4_000)):
        part = tape.trades[start : start + 4_000]
        near = np.searchsorted(tape.levels["ts"], [part["ts"][0], part["ts"][-1]])
        out += [Trades(SYMBOLS, part.tobytes()), Levels(SYMBOLS, tape.levels[near[0] : near[1]].tobytes())]
        out += [order(number, "ESX", 1, 150), order(1_000 + number, "AAPL", -1, 100 * number)]
        out.append(Fill(f"f{number}", f"o{number}", "test", "ESX", 1, 75, int(part["price"][0]), 100, 50))
        out.append(Margin(0, 0, 0, 20 - number, 0))
    return out


def test_storing_the_state_between_messages_changes_nothing() -> None:
    plain, stored = Desk(), Desk()
    for body in messages():
        expected = plain.send(body)
        assert stored.send(body) == expected
        stored.state = codec.decode(codec.encode(stored.state), State)
    assert stored.state == plain.state
    assert plain.state.tally.halts == 1
    assert plain.state.tally.accepted > 3
    assert plain.state.tally.denied > 3


def test_a_restart_in_the_middle_commits_the_same_outputs() -> None:
    """The processor is thrown away after each batch, as a crash between commits would do."""

    async def run(batch: int) -> list[bytes]:
        bus = MemoryBus()
        topics = manifest.pick(manifest.discover(), "risk").consumes
        for number, body in enumerate(messages(), 1):
            header = Header("test", 1, number, "", number, "r1/window", 0, 0, 0)
            await bus.append([(Output(body.TOPIC, encode_header(header), encode_body(body)), f"{number}-0")])
        entries = sorted(await bus.read(dict.fromkeys(topics, "0-0"), 10_000, 0), key=lambda e: int(e.id.split("-")[0]))
        for start in range(0, len(entries), batch):
            processor = Processor(engine, topics, bus, lambda: 0)
            await processor.claim()
            await processor.process(entries[start : start + batch])
        made = await bus.read(dict.fromkeys(("risk-alerts", "halts"), "0-0"), 10_000, 0)
        decided = await bus.read({"order-events": "0-0"}, 10_000, 0)
        return [entry.body for entry in (*made, *decided)]

    whole, pieces = asyncio.run(run(10_000)), asyncio.run(run(17))
    assert whole == pieces
    assert len(whole) > 100
