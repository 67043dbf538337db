"""Reading a run's history back: all that is whole, and in words what is not."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from reports import chain, seal
from reports.bulk import Levels, Loads, Probes
from reports.errors import ReportError
from reports.records import HISTORY, SCHEMA_VERSION, AnyRecord, End, Health, Level, Load, Phase, Record, Run, decode

R = TypeVar("R", bound=Record)
_WORDS = {
    "interrupted": "it was stopped",
    "failed": "it failed",
    "aborted": "its own condition held",
    "broken": "its runner broke",
}
SLACK_NS = 1_000_000_000
"""Records of concurrent parts of a run may be written so much later than others that were stamped after them."""
_MANY = 4096


@dataclass(frozen=True)
class History:
    """``records`` in file order, but for the bulk kinds, which have columns. ``first`` and ``last`` are of all kinds.
    ``broken`` tells where the file stops being whole; ``problems`` tells of whole lines that this version cannot take
    for records.
    """

    records: tuple[AnyRecord, ...]
    first: AnyRecord | None = None
    last: AnyRecord | None = None
    loads: Loads = field(default_factory=Loads)
    probes: Probes = field(default_factory=Probes)
    levels: Levels = field(default_factory=Levels)
    broken: str | None = None
    problems: tuple[str, ...] = ()
    folder: Path | None = None

    def of(self, kind: type[R]) -> list[R]:
        """All records of a kind, in order; none of the bulk kinds."""
        return list(cast(list[R], self._by_kind.get(kind, [])))

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each record file of the run folder, by path: what a report was made from."""
        return {} if self.folder is None else seal.digests(self.folder)

    @cached_property
    def _by_kind(self) -> dict[type[Record], list[AnyRecord]]:
        grouped: dict[type[Record], list[AnyRecord]] = {}
        for record in self.records:
            grouped.setdefault(type(record), []).append(record)
        return grouped

    @property
    def run(self) -> Run | None:
        """The first record, when it is what it must be."""
        return self.first if isinstance(self.first, Run) else None

    @property
    def end(self) -> End | None:
        """The last record, when the run came to an end of its own."""
        return self.last if isinstance(self.last, End) else None

    @property
    def word(self) -> str:
        """What a run that is not whole is called: aborted, by a condition of its own, broken, or interrupted."""
        return self.end.status if self.end is not None and self.end.status in ("aborted", "broken") else "interrupted"

    @cached_property
    def gap(self) -> str | None:
        """Why the record is not that of a whole run; None when it is."""
        if self.broken is not None:
            return self.broken
        if self.problems:
            return f"{len(self.problems)} lines do not hold, the first: {self.problems[0]}"
        if self.end is None:
            return "the record has no end"
        if self.end.status != "complete":
            return f"{_WORDS[self.end.status]}: {self.end.reason}"
        return _open_phase(self.of(Phase))


def read(folder: Path) -> History:
    """Read ``folder/history.jsonl``. Raises ReportError when there is none."""
    path = folder / HISTORY
    try:
        with path.open("rb") as file:
            return replace(_collect(file), folder=folder)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise ReportError(
            what=f"{folder.name} is no run folder." if missing else f"Cannot read {HISTORY} of {folder.name}.",
            why=f"It holds no {HISTORY}." if missing else f"{error.strerror or type(error).__name__}.",
            next_step="List the runs with: nautilus report list",
        ) from error


def _collect(lines: Iterator[bytes]) -> History:
    found = _Found()
    broken: str | None = None
    for number, payload in enumerate(chain.walk(lines), 1):
        if isinstance(payload, chain.Broken):
            rest = "it is the last line" if payload.tail else f"{1 + sum(1 for _ in lines)} lines after it are not read"
            broken = f"{HISTORY} line {payload.number}: {payload.why}; {rest}"
            break
        try:
            record = decode(payload)
        except msgspec.DecodeError as error:
            found.problems.append(f"{HISTORY} line {number}: {error}")
        else:
            found.take(number, record)
    return found.history(broken)


class _Found:
    """What is read so far.  Bulk records wait until there are many."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._kept: list[AnyRecord] = []
        self._loads, self._probes, self._levels = Loads(), Probes(), Levels()
        self._waiting: dict[type[Record], list[Any]] = {Load: [], Health: [], Level: []}
        self._first: AnyRecord | None = None
        self._last: AnyRecord | None = None
        self._latest = self._earliest = 0

    def take(self, number: int, record: AnyRecord) -> None:
        """Add the record of a line; what does not hold of its place becomes a problem."""
        at, kind = record.mono_ns, type(record)
        if self._first is None:
            self._first = record
            self._latest = self._earliest = at
        elif kind is Run:
            self._tell(number, "another run record")
        elif type(self._last) is End:
            self._tell(number, "a record after the end")
        self._last = record
        if at < self._earliest:
            self._tell(number, "its clock went back")
        elif at > self._latest:
            self._latest = at
            self._earliest = max(self._first.mono_ns, at - SLACK_NS)
        waiting = self._waiting.get(kind)
        if waiting is not None:
            waiting.append(record)
            if len(waiting) == _MANY:
                self._flush()
            return
        self._kept.append(record)
        if isinstance(record, Run) and record.schema != SCHEMA_VERSION:
            self._tell(number, f"schema {record.schema}, this version reads {SCHEMA_VERSION}")

    def history(self, broken: str | None) -> History:
        """All of it."""
        self._flush()
        bulk = self._loads, self._probes, self._levels
        return History(tuple(self._kept), self._first, self._last, *bulk, broken, tuple(self.problems))

    def _tell(self, number: int, why: str) -> None:
        self.problems.append(f"{HISTORY} line {number}: {why}")

    def _flush(self) -> None:
        self._loads.take(self._waiting[Load])
        self._probes.take(self._waiting[Health])
        self._levels.take(self._waiting[Level])
        for waiting in self._waiting.values():
            waiting.clear()


def _open_phase(phases: list[Phase]) -> str | None:
    running: list[str] = []
    for phase in phases:
        if phase.event == "start":
            running.append(phase.name)
        elif phase.name in running:
            running.remove(phase.name)
        else:
            return f"the phase {phase.name} ends without a start"
    return f"the phase {running[0]} has no end" if running else None
