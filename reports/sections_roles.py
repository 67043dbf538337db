"""Sections about sources of data, high-frequency operations, and backtests."""

from collections import Counter
from typing import Literal

from reports.figures import Figures
from reports.history import History
from reports.measures.backtests import differs
from reports.measures.speed import FOREIGN_CORES
from reports.model import Block, Cell, Claim, Row, Section, Table, row
from reports.records import BacktestResult, Backtests, InFlight, SearchStep, Source
from reports.show import bare

_SOURCES = ("Source", "State", "Round trip ms", "Rows", "Newest", "Detail")
_STEPS = ("Step", "Requests/s", "Answered", "Errors", "p99 ms", "Lag p99 ms", "Held")
_OUTCOMES = ("Outcome", "Requests", "Reason of the first")
_LISTED = 20


def data_sources(history: History) -> tuple[Section, ...]:
    """One row a source, then one a connector; none for a run that asked none."""
    records = history.of(Source)
    if not records:
        return ()
    return (Section("Data sources", tuple(_sources(records))),)


def _sources(records: list[Source]) -> list[Block]:
    blocks: list[Block] = []
    for simulated in (False, True):
        chosen = {record.name: record for record in records if record.simulated is simulated}
        if not chosen:
            continue
        if simulated:
            words = "Connectors against simulators of their sources' protocols on this host; none of these is a source."
            blocks.append(Claim(words))
        blocks.append(Table(_SOURCES, tuple(map(_source, chosen.values()))))
    return blocks


def _source(record: Source) -> Row:
    trip = "" if record.round_trip_ms is None else f"{record.round_trip_ms:.1f}"
    rows = "" if record.rows is None else str(record.rows)
    return (record.title, record.status, trip, rows, record.newest or "", " ".join(record.detail.split()))


def high_frequency(history: History, figures: Figures) -> tuple[Section, ...]:
    """The searches' steps, then the operations in flight; none for a run that measured neither."""
    steps, flights = history.of(SearchStep), history.of(InFlight)
    blocks: list[Block] = []
    for phase in dict.fromkeys(step.phase for step in steps):
        own = [step for step in steps if step.phase == phase]
        slots: dict[str, Cell] = {name: figures[f"search.{phase}.{name}_rps"] for name in ("best", "missed")}
        limit = f"{own[0].limit_ms:g} ms"
        words = (
            "Phase {phase}: the highest rate answered with a p99 below {limit} was {best}; missed first at {missed}."
        )
        blocks.append(Claim(words, {"phase": phase, "limit": limit, **slots}))
        blocks.append(Table(_STEPS, tuple(_step(step, figures) for step in own)))
    for flight in flights:
        prefix, load = f"inflight.{flight.phase}", f"load.{flight.phase}.all"
        words = (
            "Phase {phase}: {wanted} to be in flight, {mean} were on average; {rps} answered, "
            "p50 {p50}, p99 {p99}, longest {longest}; errors of the server: {errors}."
        )
        slots = {"wanted": figures[f"{prefix}.operations"], "mean": bare(figures[f"{prefix}.mean"])}
        slots |= {"rps": figures[f"{prefix}.rps"], "errors": bare(figures[f"{prefix}.server_errors"])}
        slots |= {name: figures[f"{load}.{name}_ms"] for name in ("p50", "p99")}
        blocks.append(Claim(words, {"phase": flight.phase, "longest": figures[f"{load}.max_ms"], **slots}))
    return (Section("High-frequency trading", tuple(blocks)),) if blocks else ()


def _step(step: SearchStep, figures: Figures) -> Row:
    held = "yes" if step.ok else "no"
    if step.void:
        held = "void: others were busy" if (step.foreign_cores or 0) > FOREIGN_CORES else "void: the generator was late"
    words = (str(step.number), f"{step.rate_rps:.0f}", str(step.done), str(step.errors))
    return row(*words, figures[f"search.{step.phase}.{step.number}.p99_ms"], f"{step.lag_p99_ms:.2f}", held)


def backtesting(history: History, figures: Figures) -> tuple[Section, ...]:
    """What came of the requests, and every answer that is wrong; none for a run without backtests."""
    results = history.of(BacktestResult)
    if not results and not history.of(Backtests):
        return ()
    names = ("executed", "succeeded", "rejected", "failed", "runs", "rate", "checked", "wrong", "unexpected")
    slots = {name: figures[f"backtests.{name}"] for name in names}
    slots |= {name: figures[f"backtests.{name}_ms"] for name in ("mean", "p95")}
    claim = Claim(
        "{executed} executed: {succeeded} succeeded, {rejected} refused, {failed} failed; {runs} in all, {rate}; a "
        "request took {mean} on average, p95 {p95}.",
        slots,
    )
    checks = Claim(
        "{checked} computed again by a loop over the days: {wrong} differ. {unexpected} came out unexpectedly.",
        {name: bare(figures[f"backtests.{name}"]) for name in ("checked", "wrong", "unexpected")},
    )
    blocks: list[Block] = [claim, checks, Table(_OUTCOMES, _reasons(results))]
    odd = [result for result in results if result.outcome != result.wanted or differs(result)]
    if odd:
        rows = tuple((item.request, item.wanted, item.outcome, item.reason) for item in odd[:_LISTED])
        blocks.append(Table(("Request", "Wanted", "Came", "Reason"), rows))
    return (Section("Backtesting", tuple(blocks)),)


def _reasons(results: list[BacktestResult]) -> tuple[Row, ...]:
    """Refused and failed requests by their request, each with the first reason that was told."""
    outcomes: tuple[Literal["rejected", "failed"], ...] = ("rejected", "failed")
    found: list[Row] = []
    for outcome in outcomes:
        own = [result for result in results if result.outcome == outcome]
        counts = Counter(result.request for result in own)
        first = {result.request: result.reason for result in reversed(own)}
        found += [(f"{outcome}: {request}", str(n), " ".join(first[request].split())) for request, n in counts.items()]
    return tuple(found[:_LISTED])
