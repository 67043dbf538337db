"""Invariants 4, 5, 8, 9, 10 and 11: halts, VPIN, causality, sequences, quotes."""

import datetime as dt

import msgspec
import numpy as np
import pytest
from checks_rig import SYMBOLS, History, S, level_rows, quote_rows, session, trades, words

from engines.wire import bundle
from engines.wire.messages import (
    BarRow,
    Bars,
    Fill,
    Halt,
    Header,
    Levels,
    Quotes,
    Signal,
    Vpin,
    VpinRow,
)
from engines.wire.pins import pins
from engines.wire.rulebook import INDEX, rules
from engines.wire.scenario_file import load
from engines.wire.session import CLOSE, epoch_ns
from engines.wire.ticks import TRADE, to_units
from stress.checks import causality, halts, quotes, sequences, vpin
from stress.checks.evidence import Evidence, Stray
from stress.checks.violation import NotJudged

DAY = dt.date(2020, 3, 12)
START = epoch_ns(DAY, dt.time(9, 35))
END = START + 900 * S


def halted(level: int = 1, start: int = START, end: int = END, fall: float = 7.2) -> History:
    """A morning on which the index falls by so many percent at 09:35, and what was told of it."""
    rule = rules(DAY).market_wide
    prior = to_units(float(bundle.bars(INDEX).before(DAY, 1).close[0]))
    assert rule is not None
    history = History()
    history.add(session(scenario="2020-03-12", date=DAY.isoformat()), producer="tape")
    low = round(prior * (1 - fall / 100))
    history.add(Levels(SYMBOLS, level_rows((START - S, prior), (START, low), (END + S, low))), START, "tape")
    history.add(trades((START, "AAPL", 100, 1), (END, "AAPL", 100, 1)), START, "tape")
    history.add(Halt("market-wide", level, "*", start, end, rule.name), START, "risk")
    return history


def test_a_halt_that_holds() -> None:
    evidence = halted().evidence()
    for check in (halts.check_matches, halts.check_tape, halts.check_trigger, halts.check_recomputed):
        assert check(evidence) == ()
    with pytest.raises(NotJudged, match="bands"):
        halts.check_bands(evidence)


def test_a_match_in_a_halt() -> None:
    history = halted()
    for ts in (START, END - 1, END):
        history.add(Fill(f"f{ts}", "a", "s", "AAPL", 1, 1, 100, 0, 1, ts), ts)
    assert words(halts.check_matches, history.evidence()) == 2 * ["AAPL: a was filled in a halt"]
    history = halted()
    history.add(trades((START + S, "AAPL", 100, 1), (END - 1, "AAPL", 100, 1)), START, "tape")
    assert words(halts.check_tape, history.evidence()) == ["*: 2 trades in its halt"]


def test_the_trigger_is_there_and_is_the_last() -> None:
    assert "no level of the index is at its begin" in words(halts.check_trigger, halted(start=START + S).evidence())[0]
    history = halted()
    history.add(Levels(SYMBOLS, level_rows((START + S, 1))), START, "tape")
    assert words(halts.check_trigger, history.evidence()) == ["*: the index moved 1 times in its halt"]


def test_halts_are_the_rulebooks() -> None:
    for wrong in (halted(level=2), halted(end=END + 1), halted(fall=6.9)):
        assert len(words(halts.check_recomputed, wrong.evidence())) >= 1
    missing = halted()
    missing.sent = [message for message in missing.sent if message.topic != "halts"]
    (said,) = words(halts.check_recomputed, missing.evidence())
    assert "is due and was not told" in said
    before = History()
    before.add(session(), producer="tape")  # 2010: no limit up - limit down yet
    before.add(Halt("pause", 0, "AAPL", 1, 2, "limit-up-limit-down"), 1)
    assert words(halts.check_bands, before.evidence()) == ["AAPL: limit-up-limit-down was not in force"]


# ----------------------------------------------------------------------------------------------------- vpin
def buckets(volume: int = 100, window: int = 3, values: dict[int, float | None] | None = None) -> History:
    """Ten minutes of 150 shares each in buckets of `volume`, as the engine tells them."""
    history = History()
    history.add(session(), producer="tape")
    told = 0
    for minute in range(10):
        history.add(trades((minute * 60 * S, "AAPL", 100, 150)), minute * 60 * S, "tape")
        closed = (minute + 1) * 150 // volume
        rows = []
        for bucket in range(told, closed):
            value = 0.5 if bucket >= window - 1 else None
            rows.append(VpinRow("AAPL", bucket, (minute + 1) * 60 * S, (values or {}).get(bucket, value)))
        told = closed
        if rows:
            history.add(Vpin(tuple(rows)), (minute + 1) * 60 * S, "vpin")
    return history


def test_vpin_that_holds() -> None:
    for volume in (100, 70, 149, 400):
        for clause in vpin.CLAUSES:
            assert clause.check(buckets(volume).evidence()) == ()
    with pytest.raises(NotJudged, match="no bucket"):
        vpin.check_values(buckets(10_000).evidence())


def test_vpin_that_must_fail() -> None:
    assert words(vpin.check_values, buckets(values={5: 1.1}).evidence()) == ["AAPL: VPIN of 1.1"]
    assert words(vpin.check_values, buckets(values={7: None}).evidence()) == ["AAPL: null after 3 buckets had a value"]
    history = buckets()
    dropped = next(m for m in history.sent if m.topic == "vpin")
    history.sent.remove(dropped)
    assert words(vpin.check_numbers, history.evidence()) == ["AAPL: bucket 1 where 0 is due"]
    untrue = buckets()
    untrue.add(trades((0, "AAPL", 100, 500)), 0, "tape")  # trades that no bucket took in
    assert any("no bucket volume fits" in said for said in words(vpin.check_volume, untrue.evidence()))
    evidence = buckets().evidence()
    gone = msgspec.structs.replace(evidence, added={**evidence.added, "trades": 99})
    with pytest.raises(NotJudged, match="trades was trimmed"):
        vpin.check_volume(gone)


# ------------------------------------------------------------------------------------------------ causality
def caused(ts: int = 60 * S, bar_end: int = 60 * S) -> History:
    history = History()
    history.add(session(), producer="tape")
    cause = history.add(trades((60 * S, "AAPL", 100, 1)), 60 * S, "tape")
    bar = BarRow("AAPL", "time", 0, bar_end, 1, 1, 1, 1, 1, 1)
    history.add(Bars((bar,)), ts, "features", cause)
    return history


def test_causes_that_hold() -> None:
    assert causality.check_causes(caused().evidence()) == ()
    assert causality.check_own_times(caused().evidence()) == ()
    assert causality.check_again(caused().evidence(again=caused().evidence())) == ()
    for check in (causality.check_other_inputs, causality.check_again):
        with pytest.raises(NotJudged):
            check(caused().evidence())


def test_a_look_ahead_is_caught() -> None:
    assert words(causality.check_causes, caused(ts=59 * S).evidence()) == [
        "bars: its cause is 1000000000 ns later in the market"
    ]
    assert words(causality.check_own_times, caused(bar_end=61 * S).evidence()) == [
        "bars: a row of 1000000000 ns after its input"
    ]
    history = caused()
    late = history.add(trades((61 * S, "AAPL", 100, 1)), 60 * S, "tape")
    early = msgspec.structs.replace(late.header, producer="strategy", cause=late.id, mono_sent=1)
    history.sent.append(msgspec.structs.replace(late, topic="signals", header=early, body=Signal("s", "AAPL", 1, "")))
    assert words(causality.check_causes, history.evidence()) == ["signals: its cause was sent after it"]


def test_a_replay_that_is_not_bit_equal() -> None:
    other = caused()
    other.add(trades((61 * S, "AAPL", 101, 1)), 61 * S, "tape")
    again = caused()
    again.add(trades((61 * S, "AAPL", 100, 1)), 61 * S, "tape")
    for twin in (caused(), again):
        found = words(causality.check_again, other.evidence(again=twin.evidence()))
        assert found == ["trades: the second run's message differs"]


# ------------------------------------------------------------------------------------------------ sequences
def numbered(*numbers: int, added: int | None = None) -> Evidence:
    history = History()
    for number in numbers:
        message = history.add(Signal("s", "AAPL", 1, ""), 0, "strategy")
        header = msgspec.structs.replace(message.header, seq=number)
        history.sent[-1] = msgspec.structs.replace(message, header=header)
    evidence = history.evidence()
    return msgspec.structs.replace(evidence, added={"signals": added or len(numbers)})


def test_sequences() -> None:
    assert sequences.check_contiguous(numbered(1, 2, 3)) == ()
    assert sequences.check_contiguous(numbered(7, 8, added=8)) == ()  # its head was trimmed
    for wrong, said in (
        ((1, 3), "3 where 2 is due"),
        ((2, 3), "2 where 1 is due"),
        ((1, 2, 2), "2 where 3 is due"),
        ((1, 2, 4, 3), "4 where 3 is due"),
    ):
        assert words(sequences.check_contiguous, numbered(*wrong))[0] == f"strategy/1/signals: {said}"
    header = Header("strategy", 1, 2, "", 0, "", 0, 0, 0)
    poisoned = msgspec.structs.replace(numbered(1, 3, added=3), strays=(Stray("signals", "1-5", header),))
    assert sequences.check_contiguous(poisoned) == ()
    with pytest.raises(NotJudged):
        sequences.check_contiguous(History().evidence())


def test_the_recorder_has_what_was_published() -> None:
    evidence = numbered(1, 2, 3)
    ids = [message.entry_id for message in evidence.topics["signals"]]

    def recorded(*kept: str, base: Evidence = evidence) -> list[str]:
        return words(sequences.check_recorder, msgspec.structs.replace(base, recorded={"signals": frozenset(kept)}))

    assert recorded(*ids) == []
    assert recorded(*ids[:2]) == ["signals: not recorded"]
    assert recorded(*ids, "1-5") == ["signals: recorded and never published"]
    assert recorded(*ids, "9-9") == []  # published after the evidence was collected
    trimmed = numbered(2, 3, added=3)
    held = [message.entry_id for message in trimmed.topics["signals"]]
    assert recorded(*held, "0-1", base=trimmed) == []
    assert recorded(*held, base=trimmed) == ["recorder: not recorded: 1 of signals"]
    with pytest.raises(NotJudged, match="store"):
        sequences.check_recorder(evidence)


# --------------------------------------------------------------------------------------------------- quotes
def test_quotes() -> None:
    def told(*rows: tuple[int, str, int, int], halt: bool = False) -> History:
        history = History()
        history.add(session(), producer="tape")
        history.add(Quotes(SYMBOLS, quote_rows(*rows)), 0, "tape")
        if halt:
            history.add(Halt("pause", 0, "AAPL", 2 * S, 4 * S, "x"), 2 * S)
        return history

    good, locked = (S, "AAPL", 99, 100), (3 * S, "AAPL", 100, 100)
    assert quotes.check_crossed(told(good).evidence()) == ()
    assert words(quotes.check_crossed, told(good, locked, locked).evidence()) == [
        "AAPL: 2 quotes with bid >= ask, the first 100 >= 100"
    ]
    assert quotes.check_crossed(told(good, locked, halt=True).evidence()) == ()
    assert quotes.check_crossed(told(good, (4 * S, "AAPL", 101, 100), halt=True).evidence()) != ()
    with pytest.raises(NotJudged, match="no quote"):
        quotes.check_crossed(told().evidence())


def pinned(volume_off: int = 0, close: bool = True, closes: dt.time = CLOSE) -> History:
    """The least tape that its pins hold on: open, high, low and close of each symbol."""
    day = load("flash-crash-2010")
    found = pins(day)
    names = tuple(pin.symbol for pin in found)
    history = History()
    history.add(session(symbols=names, orderable=names[1:]), producer="tape")
    rows = np.concatenate([
        [(n, place, 1, price, size) for n, (price, size) in enumerate(
            ((pin.open, 1), (pin.high, 1), (pin.low, 1), (pin.close, (pin.volume or 0) - 3 + volume_off * (place == 1)))
        )] for place, pin in enumerate(found) if place
    ])  # fmt: skip
    batch = np.zeros(len(rows), TRADE)
    for column, name in enumerate(("ts", "symbol", "side", "price", "size")):
        batch[name] = rows[:, column]
    body = msgspec.structs.replace(trades((0, "AAPL", 1, 1)), symbols=names, rows=batch.tobytes())
    history.add(body, 0, "tape")
    index = found[0]
    levels = level_rows((0, index.open), (1, index.high), (2, index.low), (3, index.close))
    history.add(Levels(names, levels), 0, "tape")
    if close:
        history.add(session("close"), epoch_ns(dt.date(2010, 5, 6), closes), "tape")
    return history


def test_the_tapes_pins() -> None:
    assert quotes.check_pins(pinned().evidence()) == ()
    (said,) = words(quotes.check_pins, pinned(volume_off=1).evidence())
    symbol = said.partition(":")[0]
    assert "volume is" in said
    released = pinned(volume_off=1).evidence(released=(f"{symbol} volume: an overlay",))
    assert quotes.check_pins(released) == ()
    with pytest.raises(NotJudged, match="to its close"):
        quotes.check_pins(pinned(close=False).evidence())
    with pytest.raises(NotJudged, match="before the market's close"):
        quotes.check_pins(pinned(volume_off=1, closes=dt.time(14, 30)).evidence())
