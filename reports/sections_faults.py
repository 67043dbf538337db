"""The section about injected faults and the way back from each."""

from reports.figures import Figures
from reports.history import History
from reports.measures.faults import STAMPS, SUPERVISOR
from reports.model import Claim, Section, Table, row
from reports.records import EngineRecovery, Fault, Recovery

_HEADS = ("Fault", "Target", "Detected s", "Restarted s", "Healthy s", "Regained s", "Drained s", "Proof")
_SPREAD = ("Time to", "Mean s", "p95 s", "Worst s")
_LEVELS = ("Engine", "Answers within ms", "Takes within ms", "Faults", "Regained mean s", "Worst s")


def faults(history: History, figures: Figures) -> tuple[Section, ...]:
    """One row a fault; none for a run without faults."""
    recoveries = history.of(Recovery)
    injections = {fault.id: fault for fault in history.of(Fault) if fault.event == "inject"}
    if not injections and not recoveries:
        return ()
    summary = Claim(
        "Injected: {injected}; unnoticed by anyone: {borne}; not recovered from: {missing}; lost: {lost}. "
        "The objective was regained within {p95} (p95), at the worst within {worst}.",
        {
            "injected": figures["faults.injected"],
            "borne": figures["faults.borne"],
            "lost": figures["bus.lost"],
            "missing": figures["recovery.missing"],
            "p95": figures["recovery.regain_p95_s"],
            "worst": figures["recovery.regain_worst_s"],
        },
    )
    rows = []
    for recovery in recoveries:
        times = (figures[f"recovery.{recovery.id}.{name}_s"] for name in STAMPS)
        injection = injections.get(recovery.id)
        proof = injection.proof if injection is not None else "UNKNOWN"
        rows.append(row(recovery.kind, recovery.target, *times, proof))
    folds = ("mean", "p95", "worst")
    spread = tuple(row(name, *(figures[f"recovery.{name}_{fold}_s"] for fold in folds)) for name in STAMPS)
    rebuilt = {recovery.id for recovery in recoveries if recovery.target == SUPERVISOR}
    levels = tuple(
        row(
            engine,
            *(figures[f"regain.{engine}.{name}"] for name in ("answer_ms", "fresh_ms", "faults", "mean_s", "worst_s")),
        )
        for engine in dict.fromkeys(way.engine for way in history.of(EngineRecovery) if way.id not in rebuilt)
    )
    tables = (Table(_SPREAD, spread), *((Table(_LEVELS, levels),) if levels else ()), Table(_HEADS, tuple(rows)))
    return (Section("Faults and recovery", (summary, *tables), ("recovery",)),)
