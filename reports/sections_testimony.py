"""Section about what engines say of themselves, beside what others know."""

from reports.figures import Figures
from reports.history import History
from reports.measures.testimony import contradictions, last
from reports.model import Claim, Row, Section, Table
from reports.show import number

_COLUMNS = (
    "Engine", "Says", "Pid said", "Pid", "Up said s", "Process age s", "Processed said", "Processed", "Waiting said",
    "Unread", "Contradicts",
)  # fmt: skip


def testimonies(history: History, figures: Figures) -> list[Section]:
    """One row an engine; no section when none was heard."""
    heard = last(history)
    if not heard:
        return []
    claim = Claim(
        "Of {heard} asked at the end, {lying} contradicted their supervisor or the bus.",
        {"heard": figures["health.heard"], "lying": figures["health.contradicted"]},
    )
    rows: list[Row] = []
    for each in heard:
        pairs = ((each.said_pid, each.pid), (each.said_uptime_s, each.age_s), (each.said_processed, each.processed),
                 (each.said_lag, each.unread))  # fmt: skip
        cells = [number(value, "s" if isinstance(value, float) else "") for pair in pairs for value in pair]
        rows.append((each.engine, each.status or "nothing", *cells, "; ".join(contradictions(each, history))))
    return [Section("What engines say of themselves", (claim, Table(_COLUMNS, tuple(rows))))]
