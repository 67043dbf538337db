"""Figures about injected faults: what was proven to be injected and healed, and how the fleet came back.

Times count from the injection.  The time to recover is that to the objective, when the engines that the fault touched
take new messages again.
"""

import math
from collections.abc import Iterator

from reports.figures import Figure, in_history
from reports.history import History
from reports.records import Fault, Recovery

SUPERVISOR = "supervisor"
"""Its end ends the whole fleet, which is brought up again: judged apart."""
STAMPS = {
    "detect": ("detected_ns", "the supervisor saw it"),
    "restart": ("restarted_ns", "a new process was there, or the old one ran again"),
    "healthy": ("healthy_ns", "the engines it touched answered healthy"),
    "regain": ("regained_ns", "the engines it touched took new messages again"),
    "drain": ("drained_ns", "no consumer was behind"),
}


def measure(history: History) -> Iterator[Figure]:
    """All figures about faults; none for a run that injected none."""
    faults, recoveries = history.of(Fault), history.of(Recovery)
    if not faults and not recoveries:
        return
    source = (in_history("fault", faults),)
    injected = [fault for fault in faults if fault.event == "inject"]
    yield Figure("faults.injected", len(injected), "faults", "injections", source)
    unproven = sum(not fault.proven for fault in faults)
    yield Figure("faults.unproven", unproven, "faults", "injections and healings that were not seen to happen", source)
    own = (in_history("recovery", recoveries), *source)
    missing = len(injected) - sum(recovery.regained_ns is not None for recovery in recoveries)
    yield Figure("recovery.missing", missing, "faults", "faults after which the objective was not regained", own)
    for recovery in recoveries:
        where = (in_history("recovery", [recovery], id=recovery.id),)
        for name, (field, words) in STAMPS.items():
            stamp: int | None = getattr(recovery, field)
            value = None if stamp is None else (stamp - recovery.injected_ns) / 1e9
            yield Figure(f"recovery.{recovery.id}.{name}_s", value, "s", f"from the injection until {words}", where)
    supervised = [recovery for recovery in recoveries if recovery.target != SUPERVISOR]
    for name, (field, words) in STAMPS.items():
        times = _times(supervised, field)
        how = f"from the injection until {words}, but for the supervisor's"
        mean = sum(times) / len(times) if times else None
        yield Figure(f"recovery.{name}_mean_s", mean, "s", f"mean time {how}", own)
        yield Figure(
            f"recovery.{name}_p95_s", nearest_rank(times, 95.0), "s", f"95th percentile of the time {how}", own
        )
        yield Figure(f"recovery.{name}_worst_s", max(times, default=None), "s", f"longest time {how}", own)
    rebuilt = [recovery for recovery in recoveries if recovery.target == SUPERVISOR]
    if rebuilt:
        where = (in_history("recovery", rebuilt, target=SUPERVISOR),)
        words = "longest time from the supervisor's end until every engine took new messages again"
        worst = max(_times(rebuilt, "regained_ns"), default=None)
        yield Figure("recovery.supervisor_worst_s", worst, "s", words, where)


def _times(recoveries: list[Recovery], field: str) -> list[float]:
    """Seconds of every recovery; empty when any lacks the stamp: a mean over the lucky ones would flatter."""
    stamps: list[tuple[int | None, int]] = [(getattr(item, field), item.injected_ns) for item in recoveries]
    known = [(stamp - injected) / 1e9 for stamp, injected in stamps if stamp is not None]
    return known if len(known) == len(stamps) else []


def nearest_rank(values: list[float], percentile: float) -> float | None:
    """The smallest value that so many per cent of the values do not exceed; None without values."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(percentile / 100.0 * len(values)) - 1)]
