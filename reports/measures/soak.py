"""Figures about a soak: what grows over its samples, and how the latency of its last part is to that of its first.

Growth is Sen's slope (the median of the slopes between all pairs of samples; Sen, 1968, JASA 63) with the lower end of
its one-sided 95 % confidence interval by Kendall's statistic: it needs no normal errors, and a single step hardly moves
it.  The first third of the samples is warm-up.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from reports.figures import Evidence, Figure, in_history
from reports.history import History
from reports.latency import Logs
from reports.measures.load import distribution, in_phase, loaded_phases
from reports.records import LoadSummary, Soak, SoakSample

Z95 = 1.6448536269514722
"""The standard normal distribution's 95 % quantile."""
MB, HOUR_NS = 1e6, 3.6e12
STEP_MB, STEP_SHARE = 2.0, 0.1
"""What adds up to less than this, or than this share of the first size, over the counted samples is warm-up or an
allocator's step: a short soak cannot tell them from growth.
"""
FEW = 500
"""Entries: a stream that holds fewer may not have been trimmed yet."""
NORMAL_MS = 10.0
"""The normal response: a p99 below it counts as it, since noise far below it is no drift."""
_BY = "Sen's slope over the samples after the first third"


class Slope(NamedTuple):
    """Change an hour: the estimate, and the lower end of its interval (None with too few samples to have one)."""

    middle: float
    low: float | None


def measure(history: History, logs: Logs) -> Iterator[Figure]:
    """All figures about soaks; none for a run without one."""
    for soak in {record.phase: record for record in history.of(Soak)}.values():
        samples = [sample for sample in history.of(SoakSample) if sample.phase == soak.phase]
        source = (in_history("soak_sample", samples, phase=soak.phase),)
        name, engines = f"soak.{soak.phase}", history.run.engines if history.run is not None else []
        yield Figure(f"{name}.samples", len(samples), "samples", "samples taken", source)
        counted = samples[len(samples) // 3 :]
        yield from _growth(name, engines, counted, source)
        files = [_gained([sample.files.get(engine) for sample in counted]) for engine in engines]
        worst = max((gain for gain in files if gain is not None), default=None)
        words = "most files that an engine has open at the end more than after the first third"
        yield Figure(f"{name}.files_growth", None if None in files else worst, "files", words, source)
        words = "trimmed streams of some length that were longer all through the last third than ever in the middle one"
        grown = unbounded(soak, samples)
        yield Figure(f"{name}.streams_unbounded", grown, "streams", words, source)
        yield _drift(name, soak, history, logs)


def sen(hours: Sequence[float], values: Sequence[float]) -> Slope | None:
    """The slope of values over time; None with fewer than two samples, or with two of the same time."""
    count = len(values)
    if count < 2 or len(set(hours)) < count:
        return None
    first, second = np.triu_indices(count, 1)
    at, of = np.asarray(hours), np.asarray(values)
    slopes = np.sort((of[second] - of[first]) / (at[second] - at[first]))
    spread = Z95 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18.0)
    rank = math.floor((slopes.size - spread) / 2.0)
    return Slope(float(np.median(slopes)), float(slopes[rank - 1]) if rank >= 1 else None)


def unbounded(soak: Soak, samples: Sequence[SoakSample]) -> int | None:
    """How many streams only grew; None with too few samples, or where one lacks a stream."""
    third = len(samples) // 3
    if not third:
        return None
    middle, last = samples[third : 2 * third], samples[2 * third :]
    if any(topic not in sample.entries for sample in (*middle, *last) for topic in soak.trimmed):
        return None
    return sum(
        min(sample.entries[topic] for sample in last) > max(FEW, *(sample.entries[topic] for sample in middle))
        for topic in soak.trimmed
    )


def _growth(
    name: str, engines: Sequence[str], counted: Sequence[SoakSample], source: tuple[Evidence, ...]
) -> Iterator[Figure]:
    """Of each process, and the worst of the engines'."""
    begin = counted[0].mono_ns if counted else 0
    hours = [(sample.mono_ns - begin) / HOUR_NS for sample in counted]
    lows: dict[str, float | None] = dict.fromkeys(engines)
    for process in sorted({process for sample in counted for process in sample.pss_bytes}):
        sizes = [sample.pss_bytes[process] / MB for sample in counted if process in sample.pss_bytes]
        found = sen(hours, sizes) if len(sizes) == len(counted) else None
        own = f"{name}.{process}"
        yield Figure(f"{own}.pss_first_mb", sizes[0], "MB", "proportional set size after the first third", source)
        yield Figure(f"{own}.growth_mb_h", found.middle if found else None, "MB/h", _BY, source)
        low = found.low if found else None
        words = f"{_BY}: lower end of its one-sided interval of confidence"
        yield Figure(f"{own}.growth_low_mb_h", low, "MB/h", words, source)
        if process in lows and low is not None:
            lows[process] = low if low * hours[-1] >= max(STEP_MB, STEP_SHARE * sizes[0]) else 0.0
    known = [low for low in lows.values() if low is not None]
    worst = max(known) if known and len(known) == len(lows) else None
    words = (
        "the engine that certainly grows most; what adds up to less than a tenth of its first size counts as nothing"
    )
    yield Figure(f"{name}.growth_worst_mb_h", worst, "MB/h", words, source)


def _gained(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return known[-1] - known[0] if known and len(known) == len(values) else None


def _drift(name: str, soak: Soak, history: History, logs: Logs) -> Figure:
    summaries = history.of(LoadSummary)
    measured = loaded_phases(history)
    first, last = (
        distribution(in_phase(summaries, part), logs) if part in measured else None
        for part in (soak.parts[0], soak.parts[-1])
    )
    value = max(last.p99_ms, NORMAL_MS) / max(first.p99_ms, NORMAL_MS) if first and last else None
    words = "p99 of the last part over that of the first, each at least the normal response"
    sources = tuple(
        in_history("load_summary", in_phase(summaries, part), phase=part)
        for part in dict.fromkeys((soak.parts[0], soak.parts[-1]))
    )
    return Figure(f"{name}.latency_drift", value, "times", words, sources)
