"""Figures about what engines say of themselves: where it contradicts what others know, and who answers late."""

from collections.abc import Iterator
from statistics import median

from reports.figures import Figure, in_history
from reports.history import History
from reports.latency import Logs
from reports.measures.load import distribution, loaded_phases
from reports.records import Boot, LoadSummary, Testimony

YOUNGER_S = 2.0
"""How much less an engine's uptime may be than the time since it was seen ready: it is renewed once a second."""
OLDER_S = 1.0
LATE_MS = 100.0
LATE_RATIO = 5.0
FEWEST = 20
"""Requests to an engine below which a phase does not tell whether it is late."""
LATE = (
    "engines whose median answer in a measured phase takes longer than a tenth of a second and than five times the "
    "median engine's"
)
HOW = "engines whose last health report contradicts their supervisor or the bus"


def measure(history: History, logs: Logs) -> Iterator[Figure]:
    """Of runs whose engines were heard, or that carried load."""
    heard = last(history)
    if heard:
        source = (in_history("testimony", history.of(Testimony)),)
        lying = sum(bool(contradictions(row, history)) for row in heard)
        yield Figure("health.heard", len(heard), "engines", "engines asked at the end", source)
        yield Figure("health.contradicted", lying, "engines", HOW, source)
        yield Figure("health.unread", sum(row.unread for row in heard), "messages", "unread at the end", source)
    phases = loaded_phases(history)
    if phases:
        found = [late(phase, history, logs) for phase in phases]
        known = [names for names in found if names is not None]
        count = len({name for names in known for name in names}) if len(known) == len(found) else None
        yield Figure("load.late", count, "engines", LATE, (in_history("load_summary", history.of(LoadSummary)),))


def last(history: History) -> list[Testimony]:
    """The last word of each engine, in order of first appearance."""
    return list({row.engine: row for row in history.of(Testimony)}.values())


def contradictions(row: Testimony, history: History) -> list[str]:
    """What an engine says that others know to be otherwise, in words."""
    found = []
    if row.said_pid is not None and row.pid is not None and row.said_pid != row.pid:
        found.append(f"it says pid {row.said_pid}, its supervisor started {row.pid}")
    found += _uptime(row, history)
    if row.still_s > 0:
        for what in ("processed", "dead_lettered"):
            said, known = getattr(row, f"said_{what}"), getattr(row, what)
            if said is not None and said != known:
                found.append(f"it says {said} messages {what.replace('_', '-')}, the ledger holds {known}")
        if row.status == "healthy" and row.said_lag == 0 and row.unread:
            words = f"it says healthy and that nothing waits, {row.unread} messages lay unread for {row.still_s:.1f} s"
            found.append(words)
    return found


def _uptime(row: Testimony, history: History) -> Iterator[str]:
    said = row.said_uptime_s
    if said is None:
        return
    if row.age_s is not None and said > row.age_s + OLDER_S:
        yield f"it says that it is up for {said:.1f} s, its process is {row.age_s:.1f} s old"
    boots = [boot for boot in history.of(Boot) if boot.engine == row.engine and boot.pid == row.pid]
    ready_s = (row.mono_ns - boots[-1].mono_ns) / 1e9 if boots else 0.0
    if said < ready_s - YOUNGER_S:
        yield f"it says that it is up for {said:.1f} s, it was ready {ready_s:.1f} s before"


def late(phase: str, history: History, logs: Logs) -> dict[str, float] | None:
    """Engines that answer late in a phase, with their median in ms; None when too little is known of one of them."""
    summaries = [summary for summary in history.of(LoadSummary) if summary.phase == phase]
    medians: dict[str, float] = {}
    for engine in dict.fromkeys(summary.engine for summary in summaries):
        found = distribution([summary for summary in summaries if summary.engine == engine], logs)
        if found is None or found.count < FEWEST:
            return None
        medians[engine] = found.p50_ms
    if not medians:
        return None
    limit = max(LATE_MS, LATE_RATIO * median(medians.values()))
    return {engine: value for engine, value in medians.items() if value > limit}
