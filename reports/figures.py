"""A figure: one value that a report shows, how it was computed and from what."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field

from reports.errors import ReportError
from reports.records import HISTORY

Value = float | int | str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file of the run folder and, in the history, the fields that select the records (and how many there are)."""

    file: str
    where: tuple[tuple[str, str], ...] = ()
    count: int | None = None

    def __str__(self) -> str:
        chosen = " ".join(f"{key}={value}" for key, value in self.where)
        return f"{self.file} {chosen} ({self.count})" if chosen else self.file


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` None means UNKNOWN: not measured, or measured in a way that does not bear the figure."""

    id: str
    value: Value
    unit: str
    how: str
    evidence: tuple[Evidence, ...] = ()

    @property
    def number(self) -> float | None:
        """The value when it is a number."""
        return self.value if isinstance(self.value, int | float) else None


class TwiceError(ReportError, ValueError):
    """Two figures have one name."""


@dataclass(frozen=True)
class Figures:
    """Figures by id; asking for one that nobody computed gives an UNKNOWN one."""

    by_id: Mapping[str, Figure] = field(default_factory=dict)

    @classmethod
    def of(cls, figures: Iterable[Figure]) -> "Figures":
        """Collect; raises TwiceError when two figures share an id."""
        by_id: dict[str, Figure] = {}
        for figure in figures:
            if figure.id in by_id:
                raise TwiceError(
                    f"two figures are called {figure.id}",
                    "The records name something twice, or one thing as if it were part of another.",
                    "Read the records that bear this name in history.jsonl",
                )
            by_id[figure.id] = figure
        return cls(by_id)

    def __getitem__(self, name: str) -> Figure:
        return self.by_id.get(name) or Figure(name, None, "", "not measured in this run")

    def __iter__(self) -> Iterator[Figure]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)


def in_history(kind: str, records: Sized | int, **where: str) -> Evidence:
    """Evidence for the records of one kind with the given field values: these, or so many."""
    return Evidence(HISTORY, (("type", kind), *where.items()), records if isinstance(records, int) else len(records))


def known(values: Iterable[float | int | None], fold: Callable[[list[float]], float]) -> float | None:
    """``fold`` over the values, or None when there is none or one of them is None: a hole never becomes a number."""
    taken = list(values)
    present = [value for value in taken if value is not None]
    return fold(present) if taken and len(present) == len(taken) else None


def mean(values: list[float]) -> float:
    """Arithmetic mean of a non-empty list."""
    return sum(values) / len(values)
