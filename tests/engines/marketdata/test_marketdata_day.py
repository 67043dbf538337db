"""A day between processes and on its way out: no row is lost, doubled or changed, whatever overlays do to its order."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from engines.marketdata.config import ReplayConfig
from engines.marketdata.day import Day, evidence, from_bytes, to_bytes
from engines.marketdata.replay import messages
from engines.marketdata.request import ReplayRequest, again
from engines.marketdata.schedule import plan
from engines.marketdata.tape.overlays.lay import lay
from engines.marketdata.tape.tape import make
from engines.wire.messages import Busts, Depths, Fault, Levels, Quotes, Session, Trades
from engines.wire.scenario import Overlay
from engines.wire.session import epoch_ns
from engines.wire.ticks import BUST, DEPTH, LEVEL, QUOTE, TRADE

REQUEST = ReplayRequest("2010-05-06", seed=5, ticks=20_000, rules=dt.date(2013, 4, 8))
DTYPES = {Trades: TRADE, Quotes: QUOTE, Levels: LEVEL, Depths: DEPTH, Busts: BUST}
FAULTS = (
    Overlay("out-of-order", dt.time(14), dt.time(15), amount=6),
    Overlay("bad-print", dt.time(14, 40), dt.time(14, 41), "IBM"),
    Overlay("disconnect", dt.time(14, 30), dt.time(14, 31)),
)


@pytest.fixture(scope="module")
def day() -> Day:
    scenario = replace(REQUEST.resolve(), overlays=FAULTS)
    tape = lay(make(scenario, REQUEST.seed), FAULTS)
    rows = (tape.trades, tape.quotes, tape.levels, tape.depths, tape.busts)
    made = from_bytes(REQUEST, scenario, to_bytes(evidence(tape), rows))
    assert all(np.array_equal(sent, got) for sent, got in zip(rows, made.streams, strict=True))
    assert made.evidence.digest == tape.digest()
    return made


def test_a_block_that_is_cut_short_is_refused(day: Day) -> None:
    data = to_bytes(day.evidence, day.streams)
    with pytest.raises(ValueError, match="smaller"):
        from_bytes(REQUEST, day.scenario, data[:-1])


def test_every_row_leaves_once_and_in_its_order(day: Day) -> None:
    sent: dict[type, list[bytes]] = {kind: [] for kind in DTYPES}
    for batch in plan(day, ReplayConfig()):
        for body in messages(day, batch):
            if not isinstance(body, Session):
                sent[type(body)].append(body.rows)  # type: ignore[attr-defined]  # one of the five
    for (kind, dtype), rows in zip(DTYPES.items(), day.streams, strict=True):
        assert np.array_equal(np.frombuffer(b"".join(sent[kind]), dtype), rows), kind
    assert (np.diff(day.trades["ts"]) < 0).sum() > 100


def test_the_session_tells_the_rulebook_and_the_venues_faults(day: Day) -> None:
    session = day.session("open", 1.0)
    assert session.rules_asof == "2013-04-08"
    start, end = (epoch_ns(dt.date(2010, 5, 6), dt.time(14, minute)) for minute in (30, 31))
    assert session.faults == (Fault("disconnect", "*", start, end),)
    asked = again(session)
    assert (asked.rules, asked.scenario, asked.seed, asked.ticks) == (REQUEST.rules, "2010-05-06", 5, 20_000)
    assert asked.resolve() == replace(REQUEST.resolve(), window=asked.resolve().window)


def test_evidence_names_what_is_released_and_why(day: Day) -> None:
    assert day.evidence.counterfactual
    assert any("halt that the real day did not have" in text for text in day.evidence.released)
    assert all(pin.target == pin.got for pin in day.evidence.pins)
    assert (day.evidence.depths, day.evidence.busts) == (day.depths.size, 1)
