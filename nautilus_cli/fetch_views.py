"""Fetched tables for people and for programs."""

from collections.abc import Callable

import msgspec
import numpy as np

from engines.data.rows import Finding
from engines.data.sources.source import Column as Values
from engines.data.sources.source import Provenance, Request
from engines.data.sources.source import Table as Fetched
from nautilus_cli.table import Cell, Column, Table, Tone
from nautilus_cli.words import count

_WIDEST = 60  # characters of a cell


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what came.  `cached`: kept from before; `cut`: all that was asked for, so there may be more."""

    request: Request
    provenance: Provenance
    cached: bool
    cut: bool
    units: dict[str, str]
    columns: dict[str, list[str | float | int | bool | None]]


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.fetch/1` document.  `written`: the file, `imported`: the series that it was stored as."""

    schema: str = "nautilus.fetch/1"
    source: str
    simulated: bool
    tables: tuple[Answer, ...]
    written: str = ""
    imported: str = ""
    problems: tuple[Finding, ...] = ()  # rows that kept it from being imported


def answer(request: Request, table: Fetched, cached: bool) -> Answer:
    """A table as values; what is missing is None."""
    return Answer(
        request=request,
        provenance=table.provenance,
        cached=cached,
        cut=len(table) >= request.limit,
        units=dict(table.units),
        columns={name: _values(column) for name, column in table.columns.items()},
    )


def _values(column: Values) -> list[str | float | int | bool | None]:
    if column.dtype.kind == "M":
        return [None if np.isnat(value) else str(value) for value in column]
    if column.dtype.kind == "f":
        return [value if np.isfinite(value) else None for value in column.tolist()]
    return list(column.tolist())


def blocks(title: str, found: Answer, shown: int, printable: Callable[[str], str]) -> tuple[Table | str, ...]:
    """What it is, its first and last rows, and where it comes from.  `printable` makes a source's text harmless."""
    seen = found.provenance
    kept = "cached; --fresh asks again" if found.cached else "fresh"
    kept += "; a simulator's, no market data" if seen.simulated else ""
    newest = f", the newest of {seen.newest}" if seen.newest else ""
    mark = " (SIMULATED)" if seen.simulated else ""
    head = f"{title}{mark}: {found.request.kind} of {printable(found.request.key)}, {count(seen.rows, 'row')}{newest}"
    units = {unit: [name for name, theirs in found.units.items() if theirs == unit] for unit in found.units.values()}
    tail = [f"  {', '.join(names)}: {printable(unit)}" for unit, names in units.items() if unit]
    tail.append(f"  fetched {seen.fetched_at:%Y-%m-%d %H:%M:%S} UTC ({kept})")
    tail.append(f"  {printable(seen.url)}")
    return head, _table(found, shown, printable), "\n".join(tail)


def _table(found: Answer, shown: int, printable: Callable[[str], str]) -> Table:
    numeric = [any(isinstance(value, int | float) for value in values) for values in found.columns.values()]
    heads = tuple(Column(printable(name), right) for name, right in zip(found.columns, numeric, strict=True))
    lines = list(zip(*found.columns.values(), strict=True))
    hidden = len(lines) - 2 * shown
    near = lines if hidden <= 0 else [*lines[:shown], *lines[-shown:]]
    rows: list[list[Cell | str]] = [[_cell(value, printable) for value in line] for line in near]
    if hidden > 0:
        rows.insert(shown, [Cell(f"... {hidden:,} more", Tone.FAINT), *[""] * (len(heads) - 1)])
    return Table(heads, rows)


def _cell(value: str | float | None, printable: Callable[[str], str]) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.12g}"
    text = printable(" ".join(str(value).split()))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
