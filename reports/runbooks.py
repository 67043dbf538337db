"""The runbooks of a run, each from its own figures and findings; one whose records are absent is not written."""

from collections.abc import Callable, Mapping

from reports import runbooks_bus, runbooks_crash, runbooks_hardware, runbooks_stress
from reports.model import Report
from reports.runbook import Runbook, write

FOLDER = "runbooks"
_BOOKS: Mapping[str, Callable[[Report], Runbook | None]] = {
    "high-stress": runbooks_stress.book,
    "flash-crash": runbooks_crash.book,
    "message-bus": runbooks_bus.book,
    "hardware": runbooks_hardware.book,
}
FILES = frozenset(f"{FOLDER}/{name}.md" for name in _BOOKS)


def documents(report: Report) -> dict[str, str]:
    """The documents by their path in the run folder."""
    books = {name: build(report) for name, build in _BOOKS.items()}
    return {f"{FOLDER}/{name}.md": write(book, report.name) for name, book in books.items() if book is not None}
