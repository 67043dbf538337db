"""Figures about shedding: which engines stop keeping up under a load, in which order, and whether risk is the last.

An engine sheds from the first second of a phase in which a request to it failed, of whatever kind (refused, reset,
timed out, a wrong status or body), or ended unsent: one that is not served counts, however many are.  Seconds are those
of the phase's `Load` records, counted when events happened; of a warm-up there are none.  A second is as fine as
records tell: who sheds in the same second as risk did not keep up longer than risk.
"""

from collections.abc import Iterator

from reports.figures import Figure, in_history
from reports.history import History
from reports.measures.load import loaded_phases

RISK = "risk"
"""The engine that gives way last: while it answers, no order passes unchecked."""


def measure(history: History) -> Iterator[Figure]:
    """Of every measured phase that has seconds of load; `kept_after_risk` of those that asked risk."""
    for phase in loaded_phases(history):
        firsts = first_seconds(history, phase)
        if firsts:
            yield from _phase(phase, firsts, history)


def first_seconds(history: History, phase: str) -> dict[str, int | None]:
    """The second in which each engine that a phase asked began to shed, None for one that kept up throughout."""
    loads = history.loads
    lost = loads.column("failed") + loads.column("unsent") > 0
    firsts: dict[str, int | None] = {}
    for engine in sorted(name for loaded, name in loads.pairs() if loaded == phase):
        seconds = loads.column("second")[loads.at(phase, engine) & lost]
        firsts[engine] = int(seconds.min()) if seconds.size else None
    return firsts


def _phase(phase: str, firsts: dict[str, int | None], history: History) -> Iterator[Figure]:
    lines = {engine: int(history.loads.at(phase, engine).sum()) for engine in firsts}
    shed = {engine: second for engine, second in firsts.items() if second is not None}
    how = "first second of the phase in which a request to it failed or ended unsent, counted from 0"
    for engine, second in shed.items():
        source = (in_history("load", lines[engine], phase=phase, engine=engine),)
        yield Figure(f"shed.{phase}.{engine}.second", second, "s", how, source)
    source = (in_history("load", sum(lines.values()), phase=phase),)
    yield Figure(f"shed.{phase}.engines", len(shed), "engines", "that began to shed in the phase", source)
    if RISK in firsts:
        kept = sum(second is None or second > shed[RISK] for second in firsts.values()) if RISK in shed else 0
        words = "engines that still kept up in the second in which risk began to shed; 0 when it never did"
        yield Figure(f"shed.{phase}.kept_after_risk", kept, "engines", words, source)
