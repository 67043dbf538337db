"""Blocks about shedding: which engines stopped keeping up in a phase, when, and how."""

from collections import Counter

from reports.figures import Figures
from reports.history import History
from reports.measures.shedding import RISK, first_seconds
from reports.model import Block, Claim, Table, row
from reports.records import LoadSummary
from reports.show import bare


def blocks(phase: str, history: History, figures: Figures) -> list[Block]:
    """Who shed, in the order in which they began to; one sentence where nobody did."""
    firsts = first_seconds(history, phase)
    order = sorted((second, engine) for engine, second in firsts.items() if second is not None)
    if not order:
        return [Claim("In phase {phase} every engine kept up with its load.", {"phase": phase})] if firsts else []
    words = "In phase {phase} {engines} of {asked} engines did not keep up with their load, in this order"
    slots = {"phase": phase, "engines": bare(figures[f"shed.{phase}.engines"]), "asked": str(len(firsts))}
    if firsts.get(RISK) is not None:
        words += "; {kept} still did when risk began to shed"
        slots["kept"] = bare(figures[f"shed.{phase}.kept_after_risk"])
    rows = (row(engine, figures[f"shed.{phase}.{engine}.second"], _ends(phase, engine, history)) for _, engine in order)
    columns = ("Engine that shed", "First second", "What was not served")
    return [Claim(f"{words}.", slots), Table(columns, tuple(rows))]


def _ends(phase: str, engine: str, history: History) -> str:
    """What became of the requests that were not answered, most frequent first."""
    ends = Counter[str]()
    for summary in history.of(LoadSummary):
        if (summary.phase, summary.engine) == (phase, engine):
            ends.update(summary.failed)
            ends["unsent"] += summary.unsent
    return ", ".join(f"{count:,} {kind}" for kind, count in ends.most_common() if count)
