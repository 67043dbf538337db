"""The section about a run that one of its own conditions ended."""

from reports.history import History
from reports.model import Block, Claim, Section, Table
from reports.records import Abort

_COLUMNS = ("Phase", "Abort when", "Last value", "Held for s")


def aborted(history: History) -> tuple[Section, ...]:
    """The conditions that held; none for a run without one."""
    found = history.of(Abort)
    if not found:
        return ()
    rows = tuple(
        (each.phase, each.condition, f"{each.value:g}", f"{(each.at_ns - each.since_ns) / 1e9:.1f}") for each in found
    )
    words = "The mission was aborted: its load was stopped, its faults were healed, and the fleet drained and stopped."
    blocks: tuple[Block, ...] = (Claim(words), Table(_COLUMNS, rows))
    return (Section("Aborted", blocks),)
