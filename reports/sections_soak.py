"""The section about soaks: what grew, and what slowed down."""

from collections.abc import Iterator

from reports.figures import Figures
from reports.history import History
from reports.model import Block, Claim, Row, Section, Table, row
from reports.records import Soak, SoakSample
from reports.show import bare

_GROWTH = ("Process", "Memory MB", "Growth MB/h", "At least MB/h", "Files, first to last")
_LATENCY = ("Part", "Requests/s", "p50 ms", "p99 ms", "p99.9 ms", "Errors")


def soaks(history: History, figures: Figures) -> tuple[Section, ...]:
    """One for all soaks of a run; none for a run without one."""
    records = {record.phase: record for record in history.of(Soak)}
    if not records:
        return ()
    return (Section("Soak", tuple(block for soak in records.values() for block in _soak(soak, history, figures))),)


def _soak(soak: Soak, history: History, figures: Figures) -> Iterator[Block]:
    name = f"soak.{soak.phase}"
    samples = [sample for sample in history.of(SoakSample) if sample.phase == soak.phase]
    yield Claim(
        "Phase {phase}: {samples}, of which the first third is warm-up. Engine that certainly grows most: {worst}; "
        "trimmed streams that only grew: {streams}; most files gained by an engine: {files}; latency of the last part "
        "over the first: {drift}.",
        {
            "phase": soak.phase,
            "samples": figures[f"{name}.samples"],
            "worst": figures[f"{name}.growth_worst_mb_h"],
            "streams": bare(figures[f"{name}.streams_unbounded"]),
            "files": bare(figures[f"{name}.files_growth"]),
            "drift": figures[f"{name}.latency_drift"],
        },
    )
    fields = ("rps", "p50_ms", "p99_ms", "p999_ms", "errors")
    parts = (row(part, *(figures[f"load.{part}.all.{field}"] for field in fields)) for part in soak.parts)
    yield Table(_LATENCY, tuple(parts))
    processes = sorted({process for sample in samples for process in sample.pss_bytes})
    yield Table(_GROWTH, tuple(_process(name, process, samples[len(samples) // 3 :], figures) for process in processes))


def _process(name: str, process: str, counted: list[SoakSample], figures: Figures) -> Row:
    files = [sample.files[process] for sample in counted if process in sample.files]
    words = f"{files[0]} to {files[-1]}" if files else "UNKNOWN"
    fields = ("pss_first_mb", "growth_mb_h", "growth_low_mb_h")
    return row(process, *(figures[f"{name}.{process}.{field}"] for field in fields), words)
