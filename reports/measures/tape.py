"""Figures about the tape that was replayed and about the halts and alerts that it caused."""

from collections import Counter
from collections.abc import Iterator

from reports.figures import Figure, in_history
from reports.history import History
from reports.records import Alert, Halt, Observer, Tape


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
    yield from _halts(history)


def _halts(history: History) -> Iterator[Figure]:
    run, halts, alerts = history.run, history.of(Halt), history.of(Alert)
    observers = history.of(Observer)
    declared = Counter((halt.kind, halt.level, halt.symbol) for halt in run.expect.halts) if run else Counter()
    observed = Counter((halt.kind, halt.level, halt.symbol) for halt in halts)
    watched = _watched(observers, "halts", len(halts))
    source = (in_history("halt", halts), in_history("observer", observers))
    yield Figure("halts.declared", declared.total() if run else None, "halts", "halts the mission declares", source)
    yield Figure("halts.observed", len(halts) if watched else None, "halts", "halts seen by the observer", source)
    missing = (declared - observed).total() if watched else None
    yield Figure("halts.missing", missing, "halts", "declared, but not observed", source)
    surplus = (observed - declared).total() if watched else None
    yield Figure("halts.unexpected", surplus, "halts", "observed, but not declared", source)
    seen = {alert.kind for alert in alerts}
    absent = len(set(run.expect.alerts) - seen) if run and _watched(observers, "alerts", len(alerts)) else None
    source = (in_history("alert", alerts), in_history("observer", observers))
    yield Figure("alerts.missing", absent, "alerts", "kinds of alert declared, but not observed", source)


def _watched(observers: list[Observer], subject: str, recorded: int) -> bool:
    """Whether an observer of the subject reports exactly the events that the record holds."""
    counts = [observer.seen for observer in observers if observer.subject == subject]
    return bool(counts) and counts[-1] == recorded
