"""Comparisons and trends as they are shown."""

from collections.abc import Sequence

from nautilus_cli.run_views import verdict
from nautilus_cli.table import Cell, Column, Table, Tone
from reports import show
from reports.compare import Change, Comparison
from reports.gate import Checked
from reports.trend import Series, Trend

_BLOCKS = "▁▂▃▄▅▆▇█"
_NOTABLE = 0.02  # a change smaller than this is not worth a line
_TONES = {"higher": Tone.WARN, "lower": Tone.WARN}


def comparison(found: Comparison, *, everything: bool) -> tuple[Table | str, ...]:
    """The criteria of both, then what changed."""
    warnings = [f"Not comparable: {words}" for words in found.obstacles]
    rows = [change for change in found.changes if everything or _worth_showing(change)]
    return (
        f"old  {found.old.name}: {found.old.verdict.label}",
        f"new  {found.new.name}: {found.new.verdict.label}",
        *warnings,
        "",
        _criteria(found),
        "",
        _changes(rows),
        "",
        "Intervals are 95 %, over blocks of three seconds; a finding is adjusted for all figures that were tested.",
    )


def _worth_showing(change: Change) -> bool:
    if change.finding in ("higher", "lower"):
        return True
    if change.shift is not None:
        return ".all." in change.id
    headline = not change.id.startswith(("engine.", "host.", "pin.")) and change.id.count(".") <= 1
    return headline and (change.change is None or abs(change.change) >= _NOTABLE)


def _criteria(found: Comparison) -> Table:
    new = {item.id: item for item in found.new.criteria}
    rows = []
    for item in found.old.criteria:
        other = new.get(item.id)
        rows.append(
            (
                item.title,
                show.value(item.measured, item.unit),
                verdict(item.verdict.label),
                show.value(other.measured, other.unit) if other else "-",
                verdict(other.verdict.label) if other else "-",
            )
        )
    columns = (Column("criterion"), Column("old", True), Column("verdict"), Column("new", True), Column("verdict"))
    return Table(columns, rows)


def _changes(rows: Sequence[Change]) -> Table:
    columns = (
        Column("figure"), Column("old", True), Column("new", True), Column("change", True), Column("interval", True),
        Column("finding"),
    )  # fmt: skip
    return Table(columns, [_change(change) for change in rows])


def _change(change: Change) -> tuple[Cell | str, ...]:
    span = change.shift
    return (
        change.id,
        show.value(change.old, change.unit),
        show.value(change.new, change.unit),
        "-" if change.change is None else f"{100 * change.change:+.1f} %",
        "-" if span is None else f"{100 * (span.low - 1):+.0f} to {100 * (span.high - 1):+.0f} %",
        Cell(change.finding, _TONES.get(change.finding, Tone.FAINT)),
    )


def gates_table(checked: Sequence[Checked]) -> Table:
    """What the gates say."""
    tones = {"failed": Tone.BAD, "unknown": Tone.WARN, "passed": Tone.GOOD}
    rows = [(item.gate.text, item.change.id, Cell(item.outcome, tones[item.outcome]), item.why) for item in checked]
    return Table((Column("gate"), Column("figure"), Column("outcome"), Column("why")), rows)


def trend_table(found: Trend) -> Table:
    """One line a figure: how it moved, and whether the last run is unusual."""
    columns = (Column("figure"), Column("runs", True), Column("course"), Column("last", True), Column("against before"))
    return Table(columns, [_series(item) for item in found.series])


def _series(item: Series) -> tuple[Cell | str, ...]:
    last = item.points[-1].value if item.points else None
    if item.score is None:
        judged = Cell("too few to judge", Tone.FAINT)
    else:
        judged = Cell(
            f"{'unusual' if item.unusual else 'usual'} ({item.score:+.1f})", Tone.WARN if item.unusual else Tone.PLAIN
        )
    course = sparkline([point.value for point in item.points])
    return item.id, str(len(item.points)), course, show.value(last, item.unit), judged


def sparkline(values: Sequence[float | None]) -> str:
    """Eight heights between the least and the greatest; a dot where nothing was measured."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    step = (high - low) / (len(_BLOCKS) - 1)
    return "".join("·" if v is None else _BLOCKS[round((v - low) / step) if step else 0] for v in values)
