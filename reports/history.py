"""Reading a run's history back: all that is whole, and in words what is not."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from reports import chain
from reports.errors import ReportError
from reports.records import SCHEMA_VERSION, AnyRecord, End, Phase, Record, Run, decode

HISTORY = "history.jsonl"

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class History:
    """``records`` in file order; ``broken`` tells where the file stops being whole; ``problems`` tells of whole lines
    that this version cannot take for records.
    """

    records: tuple[AnyRecord, ...]
    broken: str | None = None
    problems: tuple[str, ...] = ()

    def of(self, kind: type[R]) -> list[R]:
        """All records of a kind, in order."""
        return list(cast(list[R], self._by_kind.get(kind, [])))

    @cached_property
    def _by_kind(self) -> dict[type[Record], list[AnyRecord]]:
        grouped: dict[type[Record], list[AnyRecord]] = {}
        for record in self.records:
            grouped.setdefault(type(record), []).append(record)
        return grouped

    @property
    def run(self) -> Run | None:
        """The first record, when it is what it must be."""
        first = self.records[0] if self.records else None
        return first if isinstance(first, Run) else None

    @property
    def end(self) -> End | None:
        """The last record, when the run came to an end of its own."""
        last = self.records[-1] if self.records else None
        return last if isinstance(last, End) else None

    @cached_property
    def gap(self) -> str | None:
        """Why the record is not that of a whole run; None when it is."""
        if self.broken is not None:
            return self.broken
        if self.problems:
            return f"{len(self.problems)} lines are no records, the first: {self.problems[0]}"
        if self.end is None:
            return "the record has no end"
        if self.end.status != "complete":
            word = "it was stopped" if self.end.status == "interrupted" else "it failed"
            return f"{word}: {self.end.reason}"
        return _open_phase(self.of(Phase))


def read(folder: Path) -> History:
    """Read ``folder/history.jsonl``. Raises ReportError when there is none."""
    path = folder / HISTORY
    try:
        with path.open("rb") as file:
            return _collect(file)
    except FileNotFoundError as error:
        raise ReportError(
            what=f"{folder.name} is no run folder.",
            why=f"It holds no {HISTORY}.",
            next_step="List the runs with: nautilus report list",
        ) from error


def _collect(lines: Iterator[bytes]) -> History:
    taken: list[AnyRecord] = []
    problems: list[str] = []
    broken: str | None = None
    for line in chain.walk(lines):
        if isinstance(line, chain.Broken):
            rest = "it is the last line" if line.tail else f"{1 + sum(1 for _ in lines)} lines after it are not read"
            broken = f"{HISTORY} line {line.number}: {line.why}; {rest}"
            break
        try:
            record = decode(line.payload)
        except msgspec.DecodeError as error:
            problems.append(f"{HISTORY} line {line.number}: {error}")
            continue
        if taken and record.mono_ns < taken[0].mono_ns:
            problems.append(f"{HISTORY} line {line.number}: its clock is before the run's start")
        if isinstance(record, Run) and record.schema != SCHEMA_VERSION:
            problems.append(
                f"{HISTORY} line {line.number}: schema {record.schema}, this version reads {SCHEMA_VERSION}"
            )
        taken.append(record)
    return History(tuple(taken), broken, tuple(problems))


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
