"""Figures about the external sources of data.  What a simulator answered proves a connector, never a source."""

from collections.abc import Iterator

from reports.figures import Figure, in_history
from reports.history import History
from reports.records import Source

LACKING = frozenset({"NOT_CONFIGURED", "UNREACHABLE"})
"""What the host lacks: a key, or a way there."""


def measure(history: History) -> Iterator[Figure]:
    """All figures about sources; none for a run that asked none."""
    records = history.of(Source)
    if not records:
        return
    real, simulated = latest(records, simulated=False), latest(records, simulated=True)
    source = (in_history("source", records),)
    asked = bool(real)

    def count(name: str, words: str, chosen: int) -> Figure:
        return Figure(f"sources.{name}", chosen if asked else None, "sources", words, source)

    yield count("asked", "sources asked over the network", len(real))
    yield count("live", "sources that answered with rows themselves, no simulator in their place", live(real))
    answered = sum(record.status not in LACKING and record.round_trip_ms is not None for record in real.values())
    yield count("reachable", "sources that answered at all", answered)
    lacking = sum(record.status in LACKING for record in real.values())
    yield count("lacking", "sources that were not reached, or for which there is no key", lacking)
    proven = sum(record.status == "SIMULATED" and bool(record.rows) for record in simulated.values())
    words = "connectors that brought rows from a simulator of their source's protocol"
    yield Figure("sources.simulated", proven if simulated else None, "sources", words, source)
    for name, record in real.items():
        own = (in_history("source", [item for item in records if item.name == name], name=name),)
        rows = "rows of the last answer from the source itself"
        yield Figure(f"sources.{name}.rows", record.rows, "rows", rows, own)
        words = "time to the last answer from the source itself"
        yield Figure(f"sources.{name}.round_trip_ms", record.round_trip_ms, "ms", words, own)
    for name, record in simulated.items():
        own = (in_history("source", [item for item in records if item.name == name], name=name),)
        words = "rows of the last answer from a simulator of the source's protocol"
        yield Figure(f"sources.{name}.simulated_rows", record.rows, "rows", words, own)


def latest(records: list[Source], *, simulated: bool) -> dict[str, Source]:
    """The last answer by source, of the sources themselves or of simulators."""
    return {record.name: record for record in records if record.simulated is simulated}


def live(real: dict[str, Source]) -> int:
    """Those that are live and brought rows."""
    return sum(record.status == "LIVE" and bool(record.rows) for record in real.values())
