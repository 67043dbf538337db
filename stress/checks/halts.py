"""Invariants 4 and 5.

4. No continuous match with `ts_event` in [halt, resume), judged at the venue by event order; the triggering tick is the
last.
5. Halts {level, symbol, start, end} recomputed from tape and rulebook: set equality.

A match of ours carries the venue's own market time (`Fill.ts_ns`); the tape's matches are its trades.
"""

import datetime as dt

import numpy as np

from engines.wire import bundle, expected_halts
from engines.wire.errors import NautilusError
from engines.wire.messages import Envelope, Fill, Halt, Session
from engines.wire.rulebook import CENT, INDEX, FuturesPause, Rulebook, rules
from engines.wire.ticks import to_units
from stress.checks.evidence import Evidence, in_replay, replay
from stress.checks.tape import opening, some, ticks
from stress.checks.violation import Clause, NotJudged, Violation, broken

_Key = tuple[int, str, int, int]  # level, symbol, start, end
EVERYTHING = "*"


def check_matches(evidence: Evidence) -> tuple[Violation, ...]:
    """No match of ours with a market time in [halt, resume)."""
    halts = list(evidence.bodies("halts", Halt))
    found = []
    for message, fill in evidence.bodies("fills", Fill):
        for halt_message, halt in halts:
            same = replay(halt_message) == replay(message) and halt.symbol in (fill.symbol, EVERYTHING)
            if same and halt.start_ns <= fill.ts_ns < halt.end_ns:
                words = f"{fill.order_id} was filled in a halt"
                found.append(broken(4, fill.symbol, words, halt_message, message, at_ns=fill.ts_ns))
    return evidence.concluded(found, "halts", "fills")


def check_tape(evidence: Evidence) -> tuple[Violation, ...]:
    """No trade of the tape in a halt; at its first instant only what triggered it."""
    found = []
    for number in some(evidence.replays()):
        tape = ticks(evidence, "trades", number)
        halts = [(m, m.body) for m in in_replay(evidence.of("halts"), number) if isinstance(m.body, Halt)]
        for message, halt in halts:
            own = tape if halt.symbol == EVERYTHING else tape.of(halt.symbol)
            inside = np.flatnonzero((own.rows["ts"] > halt.start_ns) & (own.rows["ts"] < halt.end_ns))
            if inside.size:
                words = f"{inside.size} trades in its halt"
                at = int(own.rows["ts"][inside[0]])
                found.append(broken(4, halt.symbol, words, message, own.brought(int(inside[0])), at_ns=at))
    return evidence.concluded(found, "halts", "trades")


def check_trigger(evidence: Evidence) -> tuple[Violation, ...]:
    """The triggering tick is the last: a market-wide halt begins at a level that is there, and none follows in it."""
    found, judged = [], 0
    for number in some(evidence.replays()):
        levels = ticks(evidence, "levels", number).of(INDEX)
        for message in in_replay(evidence.of("halts"), number):
            halt = message.body
            if not isinstance(halt, Halt) or halt.kind != "market-wide":
                continue
            judged += 1
            ts = levels.rows["ts"]
            if not (ts == halt.start_ns).any():
                found.append(broken(4, halt.symbol, "no level of the index is at its begin", message))
            later = np.flatnonzero((ts > halt.start_ns) & (ts < halt.end_ns))
            moved = later[levels.rows["level"][later] != _level_at(levels.rows, halt.start_ns)] if later.size else later
            if moved.size:
                words = f"the index moved {moved.size} times in its halt"
                found.append(broken(4, halt.symbol, words, message, levels.brought(int(moved[0]))))
    if not judged:
        evidence.whole("halts")
    return evidence.concluded(found, "halts", "levels")


def check_recomputed(evidence: Evidence) -> tuple[Violation, ...]:
    """Halts {level, symbol, start, end} recomputed from tape and rulebook: set equality.

    Pauses by limit up - limit down are another clause's.
    """
    found = []
    for number in some(evidence.replays()):
        message, session = opening(evidence, number)
        day, book = _rulebook(session)
        name = book.luld.name if book.luld is not None else None
        told = {_key(h): m for m, h in _halts(evidence, number) if name is None or h.rule != name}
        due = _market_wide(evidence, number, day, book) | _pauses(evidence, number, day, book)
        for key in sorted(due - told.keys()):
            found.append(
                broken(5, key[1], f"level {key[0]} from {key[2]} to {key[3]} is due and was not told", message)
            )
        for key in sorted(told.keys() - due):
            found.append(broken(5, key[1], f"level {key[0]} from {key[2]} to {key[3]} is not due", told[key]))
    return evidence.concluded(found, "sessions", "levels", "trades", "halts")


def check_bands(evidence: Evidence) -> tuple[Violation, ...]:
    """Pauses by limit up - limit down: none where no such rule was in force."""
    found, unknown = [], 0
    for number in some(evidence.replays()):
        _, book = _rulebook(opening(evidence, number)[1])
        pauses = [(m, h) for m, h in _halts(evidence, number) if h.kind == "pause"]
        if book.luld is None:
            known = {pause.name for pause in book.futures_pauses}
            found += [broken(5, h.symbol, f"{h.rule} was not in force", m) for m, h in pauses if h.rule not in known]
        else:
            unknown += 1
    if unknown and not found:
        raise NotJudged(
            "reference prices and bands of limit up - limit down are in no message, nor is who is of Tier 2"
        )
    return evidence.concluded(found, "halts", "sessions")


def _halts(evidence: Evidence, number: int) -> list[tuple[Envelope, Halt]]:
    return [(m, m.body) for m in in_replay(evidence.of("halts"), number) if isinstance(m.body, Halt)]


def _key(halt: Halt) -> _Key:
    return halt.level, halt.symbol, halt.start_ns, halt.end_ns


def _rulebook(session: Session) -> tuple[dt.date, Rulebook]:
    day = dt.date.fromisoformat(session.date)
    return day, rules(dt.date.fromisoformat(session.rules_asof) if session.rules_asof else day)


def _market_wide(evidence: Evidence, number: int, day: dt.date, book: Rulebook) -> set[_Key]:
    if book.market_wide is None:
        return set()
    try:
        before = bundle.bars(INDEX).before(day, 1)
        prior = round(to_units(float(before.close[0])) / CENT) * CENT
        own = ticks(evidence, "levels", number).of(INDEX)
        trips = expected_halts.trips(own.rows, day, prior, book.market_wide)
    except (NautilusError, IndexError) as error:
        raise NotJudged(f"the market-wide rule of {day} cannot be judged: {error}") from error
    return {(trip.level, EVERYTHING, trip.start_ns, trip.end_ns) for trip in trips}


def _pauses(evidence: Evidence, number: int, day: dt.date, book: Rulebook) -> set[_Key]:
    """Recorded pauses of futures that the tape confirms: by then its last trade is its lowest of the session."""
    found = set()
    for pause in book.futures_pauses:
        if pause.holds(day) and _confirmed(evidence, number, pause, day):
            found.add((0, pause.symbol, *pause.span(day)))
    return found


def _confirmed(evidence: Evidence, number: int, pause: FuturesPause, day: dt.date) -> bool:
    tape = ticks(evidence, "trades", number)
    start, _ = pause.span(day)
    own = tape.of(pause.symbol).rows
    prices = own["price"][own["ts"] <= start]
    reached = tape.rows.size and tape.rows["ts"].max() > start
    return bool(reached and prices.size and prices[-1] == prices.min())


def _level_at(rows: "np.ndarray[tuple[int], np.dtype[np.void]]", ts_ns: int) -> int:
    """The last level up to a time; -1 before the first."""
    upto = rows["level"][rows["ts"] <= ts_ns]
    return int(upto[-1]) if upto.size else -1


CLAUSES = (
    Clause(4, "no match of ours in [halt, resume)", check_matches, ("fills",)),
    Clause(4, "no match of the tape in [halt, resume)", check_tape, ("trades",)),
    Clause(4, "the triggering tick is the last", check_trigger, ("halts", "levels")),
    Clause(
        5, "halts recomputed from tape and rulebook: set equality", check_recomputed, ("sessions", "levels", "halts")
    ),
    Clause(5, "pauses by limit up - limit down recomputed", check_bands, ("sessions", "halts")),
)
