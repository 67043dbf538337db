"""Figures about injected faults: what was proven to be injected and healed, and how the fleet came back.

The time to recover is that to the objective, when the engines that the fault touched keep their service level again:
each answers in time, and no message waits for it for long (`EngineRecovery`, engine by engine).  It counts from the
injection; after a lasting fault that no new process ended, from its healing, since until then there was nothing to
recover to.  Detection always counts from the injection.

A fault is *borne* when nothing noticed it and nothing was restarted, and yet the objective holds afterwards: it needs
neither detection nor restart, and is left out of the spread of these two.  A stamp that a fault does need and that is
missing makes its spread unknown.
"""

import math
from collections.abc import Iterator

from reports.figures import Figure, in_history
from reports.history import History
from reports.records import EngineRecovery, Fault, Phase, Recovery

SUPERVISOR = "supervisor"
"""Its end ends the whole fleet, which is brought up again: judged apart."""
STAMPS = {
    "detect": ("detected_ns", "the supervisor saw it"),
    "restart": ("restarted_ns", "a new process was there"),
    "healthy": ("healthy_ns", "the engines it touched answered healthy"),
    "regain": ("regained_ns", "the engines it touched kept their service level again"),
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
    quiet = sum(borne(recovery) for recovery in recoveries)
    yield Figure(
        "faults.borne", quiet, "faults", "faults that nothing noticed and that nothing had to recover from", own
    )
    missing = len(injected) - sum(recovery.regained_ns is not None for recovery in recoveries)
    yield Figure("recovery.missing", missing, "faults", "faults after which the objective was not regained", own)
    for recovery in recoveries:
        where = (in_history("recovery", [recovery], id=recovery.id),)
        for name, (field, words) in STAMPS.items():
            stamp: int | None = getattr(recovery, field)
            value = None if stamp is None else (stamp - _since(recovery, field)) / 1e9
            yield Figure(f"recovery.{recovery.id}.{name}_s", value, "s", f"until {words}", where)
    supervised = [recovery for recovery in recoveries if recovery.target != SUPERVISOR]
    for name, (field, words) in STAMPS.items():
        times = _times(supervised, field)
        how = f"until {words}, but for the supervisor's"
        mean = sum(times) / len(times) if times else None
        yield Figure(f"recovery.{name}_mean_s", mean, "s", f"mean time {how}", own)
        yield Figure(
            f"recovery.{name}_p95_s", nearest_rank(times, 95.0), "s", f"95th percentile of the time {how}", own
        )
        yield Figure(f"recovery.{name}_worst_s", max(times, default=None), "s", f"longest time {how}", own)
    rebuilt = [recovery for recovery in recoveries if recovery.target == SUPERVISOR]
    if rebuilt:
        where = (in_history("recovery", rebuilt, target=SUPERVISOR),)
        words = "longest time from the supervisor's end until every engine kept its service level again"
        worst = max(_times(rebuilt, "regained_ns"), default=None)
        yield Figure("recovery.supervisor_worst_s", worst, "s", words, where)
    yield from _engines(supervised, history.of(EngineRecovery))


def _engines(recoveries: list[Recovery], ways: list[EngineRecovery]) -> Iterator[Figure]:
    """Engine by engine, of all faults but the supervisor's end: how long each took to keep its service level again."""
    own = {(way.id, way.engine): way for way in ways}
    asked = {way.id for way in ways}
    times: dict[str, list[float | None]] = {}
    until = "until it kept its service level again"
    for recovery in (each for each in recoveries if each.id in asked):
        for engine in recovery.engines:
            way = own.get((recovery.id, engine))
            at = way.regained_ns if way is not None else None
            value = None if at is None else (at - _since(recovery, "regained_ns")) / 1e9
            times.setdefault(engine, []).append(value)
            told = in_history("engine_recovery", int(way is not None), id=recovery.id, engine=engine)
            where = (told, in_history("recovery", [recovery], id=recovery.id))
            yield Figure(f"regain.{engine}.{recovery.id}_s", value, "s", until, where)
    for engine, values in times.items():
        yield from _spread(engine, values, [way for way in ways if way.engine == engine])


def _spread(engine: str, times: list[float | None], ways: list[EngineRecovery]) -> Iterator[Figure]:
    """One engine's level, and its times in short: a mean over those that are known would flatter."""
    where = (in_history("engine_recovery", ways, engine=engine),)
    known = [seconds for seconds in times if seconds is not None]
    whole = known if len(known) == len(times) else []
    level = (ways[-1].answer_ms, ways[-1].fresh_ms) if ways else (None, None)
    mean = sum(whole) / len(whole) if whole else None
    words = "time until it kept its service level again"
    yield Figure(f"regain.{engine}.faults", len(times), "faults", "faults that touched it", where)
    yield Figure(f"regain.{engine}.answer_ms", level[0], "ms", "its health report's longest time", where)
    yield Figure(f"regain.{engine}.fresh_ms", level[1], "ms", "longest wait of a message for it", where)
    yield Figure(f"regain.{engine}.mean_s", mean, "s", f"mean {words}", where)
    yield Figure(f"regain.{engine}.worst_s", max(whole, default=None), "s", f"longest {words}", where)


def borne(recovery: Recovery) -> bool:
    """Whether nothing noticed a fault, nothing was restarted, and the objective holds."""
    return recovery.regained_ns is not None and recovery.detected_ns is None and recovery.restarted_ns is None


def _since(recovery: Recovery, field: str) -> int:
    """What a stamp counts from."""
    healed, restarted = recovery.healed_ns, recovery.restarted_ns
    if field == "detected_ns" or healed is None or (restarted is not None and restarted < healed):
        return recovery.injected_ns
    return healed


def _needs(recovery: Recovery, field: str) -> bool:
    """Whether a fault needs this stamp: one that was recovered from needs a restart only where there was one."""
    if field == "restarted_ns":
        return recovery.restarted_ns is not None or recovery.regained_ns is None
    return field != "detected_ns" or not borne(recovery)


def _times(recoveries: list[Recovery], field: str) -> list[float]:
    """Seconds of every recovery that needs the stamp; empty when one lacks it: a mean over the others would flatter."""
    needing = [item for item in recoveries if _needs(item, field)]
    stamps: list[tuple[int | None, int]] = [(getattr(item, field), _since(item, field)) for item in needing]
    known = [(stamp - since) / 1e9 for stamp, since in stamps if stamp is not None]
    return known if len(known) == len(stamps) else []


def nearest_rank(values: list[float], percentile: float) -> float | None:
    """The smallest value that so many per cent of the values do not exceed; None without values."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(percentile / 100.0 * len(values)) - 1)]


def struck(history: History) -> frozenset[str]:
    """The phases in which a fault was injected."""
    found = set()
    open_phases: set[str] = set()
    moments: list[Phase | Fault] = sorted([*history.of(Phase), *history.of(Fault)], key=lambda record: record.mono_ns)
    for record in moments:
        if isinstance(record, Fault):
            found |= open_phases if record.event == "inject" else set()
        elif record.event == "start":
            open_phases.add(record.name)
        else:
            open_phases.discard(record.name)
    return frozenset(found)
