"""What stands out by name: engines that contradict the records, answer late, lose messages, or are not ours."""

from collections.abc import Iterator

from reports import show
from reports.figures import Figures
from reports.history import History
from reports.latency import Logs
from reports.measures import bus, load, testimony
from reports.model import Cell, Claim
from reports.records import Invariant


def findings(history: History, logs: Logs, figures: Figures) -> list[Claim]:
    """All of them, in a fixed order."""
    return [
        *contradicted(history),
        *_late(history, logs, figures),
        *_lost(history, figures),
        *_unread(history, figures),
        *_broke(history),
        *replaced(history),
    ]


def contradicted(history: History) -> Iterator[Claim]:
    """Engines whose own health is not what others know of them."""
    for row in testimony.last(history):
        words = testimony.contradictions(row, history)
        if words:
            slots: dict[str, Cell] = {"engine": row.engine, "words": "; ".join(words)}
            yield Claim("{engine} contradicts the records in its own health: {words}.", slots)


def replaced(history: History) -> Iterator[Claim]:
    """Engines that are not those that ship: others in their place, and other programs beside them."""
    for engine, origin in (history.run.replaced if history.run is not None else {}).items():
        yield Claim("{engine}: replaced by {origin}.", {"engine": engine, "origin": origin})
    for engine, words in (history.run.foreign if history.run is not None else {}).items():
        yield Claim("{engine}: a foreign program, {words}.", {"engine": engine, "words": show.program(words)})


def _late(history: History, logs: Logs, figures: Figures) -> Iterator[Claim]:
    for phase in load.loaded_phases(history):
        for engine in testimony.late(phase, history, logs) or ():
            prefix = f"load.{phase}.{engine}"
            slots: dict[str, Cell] = {"engine": engine, "phase": phase, "everyone": figures[f"load.{phase}.all.p50_ms"]}
            slots |= {name: figures[f"{prefix}.{name}_ms"] for name in ("p50", "p99")}
            yield Claim(
                "{engine} answers late: in phase {phase} its median is {p50} and its p99 {p99}; the median over all "
                "requests is {everyone}.",
                slots,
            )


def _lost(history: History, figures: Figures) -> Iterator[Claim]:
    publishers = history.run.publishers if history.run is not None else {}
    for row in bus.last_rows(history):
        if bus.lost(row):
            slots: dict[str, Cell] = {
                "lost": figures[f"bus.{row.bus}.{row.topic}.{row.consumer}.lost"],
                "topic": row.topic,
                "consumer": row.consumer,
                "publishers": " or ".join(publishers.get(row.topic, [])) or "an engine that is not declared",
            }
            yield Claim(
                "{lost} of topic {topic} were lost between {publishers}, which publishes and trims it, and {consumer}.",
                slots,
            )


def _broke(history: History) -> Iterator[Claim]:
    """Who published what broke an invariant: each engine and clause once."""
    told: dict[tuple[str, str, str], str] = {}
    for record in history.of(Invariant):
        for engine, example in record.producers.items():
            told.setdefault((engine, record.name, record.clause), example)
    for (engine, name, clause), example in told.items():
        slots: dict[str, Cell] = {"engine": engine, "name": name, "clause": clause, "example": example}
        yield Claim("{engine} published what broke an invariant, {name} ({clause}): {example}.", slots)


def _unread(history: History, figures: Figures) -> Iterator[Claim]:
    for row in bus.last_rows(history):
        if row.pending:
            pending = figures[f"bus.{row.bus}.{row.topic}.{row.consumer}.pending"]
            slots: dict[str, Cell] = {"pending": pending, "topic": row.topic, "consumer": row.consumer}
            yield Claim("{pending} of topic {topic} lie unread before {consumer}.", slots)
