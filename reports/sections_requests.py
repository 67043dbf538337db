"""Blocks about single requests of a phase: the time from their sending, the slowest, the first that failed."""

from reports.figures import Figures
from reports.history import History
from reports.measures.load import ALL
from reports.measures.requests import exemplars
from reports.model import Block, Claim, Table, row
from reports.records import Generator, LoadSummary

_FIELDS = ("p50_ms", "p99_ms", "p999_ms", "max_ms")
_COLUMNS = ("Engine, from the sending", "p50 ms", "p99 ms", "p99.9 ms", "Max ms")
_KINDS = {"slowest": "slowest", "first-failed": "first failed"}


def blocks(phase: str, history: History, figures: Figures) -> list[Block]:
    """What a phase kept of them."""
    found: list[Block] = []
    checked, unchecked = (figures[f"generator.{phase}.bodies_{which}"] for which in ("checked", "unchecked"))
    if checked.value is not None:
        words = "Bodies held against what the engines' manifests say: {checked}; that could not be: {unchecked}."
        found.append(Claim(words, {"checked": checked, "unchecked": unchecked}))
    kept = [item.engine for item in history.of(LoadSummary) if item.phase == phase and item.service_hlog]
    if kept:
        scopes = [*dict.fromkeys(kept), ALL]
        rows = (
            row(scope, *(figures[f"load.{phase}.{scope}.service_{field}"] for field in _FIELDS)) for scope in scopes
        )
        found.append(Table(_COLUMNS, tuple(rows)))
    told = exemplars(history, phase)
    if told:
        found.append(Table(("Request", "Latency ms", "Engine", "Outcome", "Reason", "Path", "Id"), tuple(
            row(
                _KINDS[item.which],
                *(figures[f"exemplar.{phase}.{item.which}.{field}"] for field in ("latency_ms", "engine", "outcome")),
                figures[f"exemplar.{phase}.{item.which}.reason"] if item.reason else "",
                item.path,
                figures[f"exemplar.{phase}.{item.which}.request"],
            )
            for item in told
        )))  # fmt: skip
    own = {item.process: item for item in history.of(Generator) if item.phase == phase}
    if len(own) > 1:
        columns = ("Generator process", "Lag p50 ms", "Lag p99 ms", "Longest lag ms", "Processor %", "Longest stall ms")
        found.append(Table(columns, tuple(
            (str(number + 1), *(f"{value:.2f}" for value in (
                item.lag_p50_ms, item.lag_p99_ms, item.lag_max_ms, 100 * item.cpu_share, item.stall_max_ms)))
            for number, item in sorted(own.items())
        )))  # fmt: skip
    return found
