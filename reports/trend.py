"""One figure over many runs, from the run folders. Runs that cannot be compared are never put into one series."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from reports import runs
from reports.compare import setting
from reports.errors import ReportError
from reports.model import Report

DEFAULT = (
    "availability.percent", "idle.response_ms", "load.*.all.p99_ms", "load.*.all.rps_stressed", "bus.lost",
    "fleet.boot_s", "fleet.pss_peak_bytes",
)  # fmt: skip
"""Figure ids; a star stands for the run's loaded phase."""
FEWEST = 4
"""Earlier runs that a last one is judged against, at least."""
FAR = 3.5
"""A modified z-score beyond this is an outlier (Iglewicz and Hoaglin, 1993)."""


@dataclass(frozen=True)
class Point:
    """One run of a series. ``value`` None: UNKNOWN in that run."""

    run_id: str
    at: str
    verdict: str
    value: float | None


@dataclass(frozen=True)
class Series:
    """One figure over runs of one setting (mission, plan and machine), oldest first."""

    id: str
    unit: str
    points: tuple[Point, ...]

    @property
    def score(self) -> float | None:
        """Modified z-score of the last run against those before it: 0.6745 (x - median) / median absolute deviation.

        None with fewer than four earlier values, or when these do not vary.
        """
        *before, last = [point.value for point in self.points]
        known = [value for value in before if value is not None]
        if last is None or len(known) < FEWEST:
            return None
        middle = statistics.median(known)
        spread = statistics.median(abs(value - middle) for value in known)
        return 0.6745 * (last - middle) / spread if spread else None

    @property
    def unusual(self) -> bool:
        """The last run lies far from the earlier ones."""
        return self.score is not None and abs(self.score) > FAR


@dataclass(frozen=True)
class Trend:
    """The series of one setting, and the runs of the folder that do not belong to it, with the reason."""

    series: tuple[Series, ...]
    left_out: tuple[tuple[str, str], ...]


def trend(root: Path, wanted: Sequence[str] = DEFAULT, *, mission: str | None = None, last: int = 20) -> Trend:
    """Series over the newest ``last`` runs of a folder, recomputed from their records.

    The newest whole run (of ``mission``) sets what the others must be like: mission, plan and machine.
    Raises ReportError when there is none.
    """
    found = [info for info in runs.list_runs(root) if mission is None or info.mission == mission]
    loaded = [runs.load(info.folder) for info in found[-last:]]
    whole = [report for report in loaded if report.gap is None]
    if not whole:
        named = f" of {mission}" if mission else ""
        raise ReportError(f"There is no whole run{named} in {root}.", "", f"nautilus stress {mission or 'flash-crash'}")
    model = setting(whole[-1])
    taken: list[Report] = []
    left: list[tuple[str, str]] = []
    for report in loaded:
        other = setting(report)
        differing = [key for key in dict.fromkeys((*model, *other)) if model.get(key) != other.get(key)]
        if report.gap is not None:
            left.append((report.name, f"not whole: {report.gap}"))
        elif differing:
            left.append((report.name, f"another {', '.join(differing)}"))
        else:
            taken.append(report)
    return Trend(tuple(_series(taken, wanted)), tuple(left))


def _series(taken: Sequence[Report], wanted: Iterable[str]) -> Iterable[Series]:
    for pattern in wanted:
        names = dict.fromkeys(name for report in taken for name in _matching(report, pattern))
        for name in names or {pattern: None}:
            figures = [report.figures[name] for report in taken]
            points = tuple(
                Point(report.name, report.stamp, report.verdict.label, figure.number)
                for report, figure in zip(taken, figures, strict=True)
            )
            yield Series(name, next((figure.unit for figure in figures if figure.unit), ""), points)


def _matching(report: Report, pattern: str) -> list[str]:
    return [figure.id for figure in report.figures if fnmatchcase(figure.id, pattern)]
