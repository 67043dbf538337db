"""Figures about the tape that was replayed and about the halts and alerts that it caused."""

import datetime
from collections import Counter
from collections.abc import Iterator

from reports.figures import Figure, in_history
from reports.history import History
from reports.records import Alert, Denial, Halt, Observer, Tape

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def measure(history: History) -> Iterator[Figure]:
    """All tape figures."""
    tapes = history.of(Tape)
    source = (in_history("tape", tapes),)
    tape = tapes[-1] if tapes else None
    yield Figure("tape.digest", tape.digest if tape else None, "text", "digest of the tape's ticks", source)
    yield Figure("tape.ticks", tape.ticks if tape else None, "ticks", "ticks of the tape", source)
    yield Figure("tape.pins", len(tape.pins) if tape else None, "pins", "properties pinned to the real day", source)
    held = sum(pin.target == pin.got for pin in tape.pins) if tape else None
    yield Figure("tape.pins_held", held, "pins", "pinned properties that the tape has exactly", source)
    yield from _each(tapes)
    yield from _halts(history)


def _each(tapes: list[Tape]) -> Iterator[Figure]:
    """Of a run with several tapes, each by its scenario; the last one where a scenario was replayed twice."""
    by_scenario = {tape.scenario: tape for tape in tapes}
    for scenario, tape in by_scenario.items() if len(tapes) > 1 else ():
        own = (in_history("tape", [item for item in tapes if item.scenario == scenario], scenario=scenario),)
        yield Figure(f"tape.{scenario}.digest", tape.digest, "text", "digest of this scenario's ticks", own)
        yield Figure(f"tape.{scenario}.ticks", tape.ticks, "ticks", "ticks of this scenario", own)
        yield Figure(f"tape.{scenario}.pins", len(tape.pins), "pins", "properties pinned to its real day", own)
        held = sum(pin.target == pin.got for pin in tape.pins)
        yield Figure(f"tape.{scenario}.pins_held", held, "pins", "of these, held exactly", own)


def _halts(history: History) -> Iterator[Figure]:
    run, halts, alerts = history.run, history.of(Halt), history.of(Alert)
    observers = history.of(Observer)
    told = run.expect.halts if run else []
    dated = all(halt.day is not None for halt in told)
    declared = Counter((halt.kind, halt.level, halt.symbol, halt.day if dated else None) for halt in told)
    observed = Counter((halt.kind, halt.level, halt.symbol, day_of(halt) if dated else None) for halt in halts)
    watched = _watched(observers, "halts", len(halts))
    source = (in_history("halt", halts), in_history("observer", observers))
    yield Figure("halts.declared", declared.total() if run else None, "halts", "halts the mission declares", source)
    yield Figure("halts.observed", len(halts) if watched else None, "halts", "halts seen by the observer", source)
    missing = (declared - observed).total() if watched else None
    yield Figure("halts.missing", missing, "halts", "declared, but not observed", source)
    surplus = (observed - declared).total() if watched else None
    yield Figure("halts.unexpected", surplus, "halts", "observed, but not declared", source)
    seen = {alert.kind for alert in alerts}
    told_alerts = set(run.expect.alerts) if run and _watched(observers, "alerts", len(alerts)) else None
    source = (in_history("alert", alerts), in_history("observer", observers))
    absent = None if told_alerts is None else len(told_alerts - seen)
    yield Figure("alerts.missing", absent, "alerts", "kinds of alert declared, but not observed", source)
    more = None if told_alerts is None else len(seen - told_alerts)
    yield Figure("alerts.unexpected", more, "alerts", "kinds of alert observed, but not declared", source)
    yield from _denials(run.expect.denials if run else None, history.of(Denial), observers)


def _denials(told: list[str] | None, denials: list[Denial], observers: list[Observer]) -> Iterator[Figure]:
    """Orders that risk refused, and whether the reasons are those that the mission declares."""
    counts = Counter[str]()
    for denial in denials:
        counts[denial.code] += denial.count
    known = told is not None and _watched(observers, "denials", counts.total())
    declared = set(told or ())
    source = (in_history("denial", denials), in_history("observer", observers))
    total = counts.total() if known else None
    yield Figure("denials.observed", total, "orders", "orders that risk refused", source)
    missing = len(declared - counts.keys()) if known else None
    yield Figure("denials.missing", missing, "codes", "reasons declared, for which risk refused none", source)
    surplus = len(counts.keys() - declared) if known else None
    yield Figure("denials.unexpected", surplus, "codes", "reasons not declared, for which risk refused some", source)
    for code, count in counts.items():
        where = (in_history("denial", [item for item in denials if item.code == code], code=code),)
        yield Figure(f"denials.code.{code}", count, "orders", "orders that risk refused for this reason", where)


def day_of(halt: Halt) -> str:
    """The market's day of a halt: New York's trading hours lie within one day of UTC."""
    return (_EPOCH + datetime.timedelta(seconds=halt.start_ns // 10**9)).date().isoformat()


def _watched(observers: list[Observer], subject: str, recorded: int) -> bool:
    """Whether an observer of the subject reports exactly the events that the record holds."""
    counts = [observer.seen for observer in observers if observer.subject == subject]
    return bool(counts) and counts[-1] == recorded
