"""Two runs side by side: what changed, and for latencies whether the change is more than chance.

Only runs that can be compared are: the same mission, plan and engines on the same kind of machine, both whole. What
stands against it is said, and `force` compares all the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reports import show, summary
from reports.compose import compose
from reports.criteria import Verdict
from reports.errors import ReportError
from reports.figures import Figure, Figures
from reports.latency import Logs
from reports.measures.load import ALL, loaded_phases
from reports.model import Report
from reports.records import Host, LoadSummary, Run
from reports.resample import Shift, holm, shift
from reports.summary import RunData

PERCENTILES = {"p50_ms": 50.0, "p99_ms": 99.0, "p999_ms": 99.9}
ENGINE_PERCENTILES = {"p99_ms": 99.0}
"""One test an engine: each further one makes every other one harder to pass (Holm)."""
LEVEL = 0.05
"""A difference is shown when its adjusted probability of arising by chance is below this."""

_SHORT = 120  # characters of two values that are still worth printing

Finding = Literal["higher", "lower", "not shown", "too short", "not tested"]


@dataclass(frozen=True)
class Change:
    """One figure of both runs. ``change`` is new / old - 1. ``shift`` and ``p_value`` (adjusted after Holm over all
    tested figures) are there for latencies that both runs logged per second.
    """

    id: str
    unit: str
    old: float | None
    new: float | None
    shift: Shift | None = None
    p_value: float | None = None

    @property
    def change(self) -> float | None:
        """Relative change; None when either is unknown or the old one is zero."""
        if self.old is None or self.new is None or self.old == 0:
            return None
        return self.new / self.old - 1.0

    @property
    def finding(self) -> Finding:
        """What the test says."""
        if self.shift is None or self.p_value is None:
            return "not tested"
        if 2.0 / 2**self.shift.blocks > LEVEL:
            return "too short"
        if self.p_value >= LEVEL:
            return "not shown"
        return "higher" if self.shift.ratio > 1 else "lower"


@dataclass(frozen=True)
class Comparison:
    """``obstacles`` are the reasons for which the two should not be compared; empty when there is none."""

    old: Report
    new: Report
    obstacles: tuple[str, ...]
    changes: tuple[Change, ...]

    def __getitem__(self, name: str) -> Change:
        return next(change for change in self.changes if change.id == name)


def compare(old: Path, new: Path, *, force: bool = False) -> Comparison:
    """Compare two run folders, recomputed from their records.

    Raises ReportError when a folder holds no run, and, unless forced, when the two should not be compared.
    """
    data = summary.read(old), summary.read(new)
    reports = compose(data[0]), compose(data[1])
    obstacles = tuple(_obstacles(*reports))
    if obstacles and not force:
        raise ReportError(
            f"{old.name} and {new.name} should not be compared.",
            " ".join(f"{words}." for words in obstacles),
            "Compare them all the same: --force",
        )
    return Comparison(*reports, obstacles, tuple(_changes(data, reports)))


def _obstacles(old: Report, new: Report) -> Iterator[str]:
    """In words, what differs between the two settings."""
    for report in (old, new):
        if report.gap is not None:
            yield f"{report.name} is not whole: {report.gap}"
        if any(item.verdict is Verdict.INVALID for item in report.criteria):
            yield f"{report.name} is INVALID, its load generator or its records failed"
    yield from _differ(setting(old), setting(new))


def setting(report: Report) -> dict[str, object]:
    """What must be equal for two runs to be comparable: the machine, the mission, its plan, and whose engines flew."""
    machine = {f"host {key}": value for key, value in _machine(report).items()}
    mission = {f"mission {key}": value for key, value in _mission(report).items()}
    return machine | mission | {"replaced engines": _replaced(report), "foreign engines": _foreign(report)}


def _differ(old: dict[str, object], new: dict[str, object]) -> Iterator[str]:
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            pair = f"{old.get(key)} and {new.get(key)}"
            yield f"{key}: {pair}" if len(pair) <= _SHORT else f"{key} differs"


def _machine(report: Report) -> dict[str, object]:
    hosts = report.history.of(Host)
    if not hosts:
        return {"record": "absent"}
    host = hosts[0]
    return {"processor": host.cpu_model, "cores": host.cores, "memory": host.memory_bytes, "platform": host.platform}


def _mission(report: Report) -> dict[str, object]:
    runs = report.history.of(Run)
    if not runs:
        return {"record": "absent"}
    run = runs[0]
    own = {"name": run.mission, "quick": run.quick, "full": run.full, "seed": run.seed, "engines": sorted(run.engines)}
    return own | {f"plan {key}": value for key, value in run.plan.items()}


def _replaced(report: Report) -> str:
    """Every engine that is not the one that ships, and the folder it came from."""
    runs = report.history.of(Run)
    found = sorted(runs[0].replaced.items()) if runs else []
    return ", ".join(f"{engine} from {folder}" for engine, folder in found) or "none"


def _foreign(report: Report) -> str:
    """Every engine that is another program, and which one: its command's digest stands for words that may be secret."""
    runs = report.history.of(Run)
    found = sorted(runs[0].foreign.items()) if runs else []
    return ", ".join(f"{engine} is {show.program(words)}" for engine, words in found) or "none"


def _changes(data: tuple[RunData, RunData], reports: tuple[Report, Report]) -> list[Change]:
    old, new = reports[0].figures, reports[1].figures
    tests = dict(_tests(*data))
    changes = [_change(name, old, new, tests.get(name)) for name in dict.fromkeys((*old.by_id, *new.by_id))]
    kept = [change for change in changes if change is not None]
    tested = [change.id for change in kept if change.shift is not None]
    adjusted = dict(zip(tested, holm([tests[name].p_value for name in tested]), strict=True))
    return [replace(change, p_value=adjusted.get(change.id)) for change in kept]


def _change(name: str, old: Figures, new: Figures, found: Shift | None) -> Change | None:
    """None for what is no number in either run: words, such as a state."""
    pair: tuple[Figure, Figure] = old[name], new[name]
    if any(isinstance(figure.value, str) for figure in pair) or all(figure.number is None for figure in pair):
        return None
    return Change(name, pair[0].unit or pair[1].unit, pair[0].number, pair[1].number, found)


def _tests(old: RunData, new: RunData) -> Iterator[tuple[str, Shift]]:
    after = dict(_scopes(new))
    for scope, before in _scopes(old):
        if scope not in after:
            continue
        fields = PERCENTILES if scope.endswith(f".{ALL}") else ENGINE_PERCENTILES
        for field, percentile in fields.items():
            found = shift(before, after[scope], percentile)
            if found is not None:
                yield f"{scope}.{field}", found


def _scopes(data: RunData) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Counts per second of each loaded phase: of every engine, then of all."""
    for phase in loaded_phases(data.history):
        own = [record for record in data.history.of(LoadSummary) if record.phase == phase]
        if not own or len({record.hlog_unit for record in own}) != 1:
            continue
        if not all(data.logs.get(record.hlog) for record in own):
            continue
        start = min(interval.start_s for record in own for interval in data.logs[record.hlog])
        for engine in dict.fromkeys(record.engine for record in own):
            names = [record.hlog for record in own if record.engine == engine]
            yield f"load.{phase}.{engine}", _by_second(data.logs, names, start)
        yield f"load.{phase}.{ALL}", _by_second(data.logs, [record.hlog for record in own], start)


def _by_second(logs: Logs, names: Sequence[str], start_s: float) -> NDArray[np.int64]:
    intervals = [interval for name in names for interval in logs[name]]
    places = [round(interval.start_s - start_s) for interval in intervals]
    out = np.zeros((max(places) + 1, max(interval.counts.size for interval in intervals)), dtype=np.int64)
    for place, interval in zip(places, intervals, strict=True):
        out[place, : interval.counts.size] += interval.counts
    return out
