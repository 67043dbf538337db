"""The totals of a finished phase from the record of its arrivals: counted, folded into histograms, written.

What was due in the warm-up is counted apart and is in no histogram.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stress.load.fold import percentiles, write_log
from stress.load.ids import request_id
from stress.load.plan import LAG_LOG, SERVICE_LOG, LoadPlan
from stress.load.result import FAILURES, Outcome, Percentiles, Sighting, TargetCounts, TargetResult
from stress.load.tables import BROKEN, COLUMNS, OPEN, SCHEDULED, SENT, Bout, Mix

SECOND_NS = 1_000_000_000
SIGHTINGS = 20  # of the slowest, and of the first failures

Rows = NDArray[np.void]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Totals:
    """What the arrivals of one phase say: fields of PhaseResult."""

    targets: dict[str, TargetResult]
    latency: Percentiles | None
    service: Percentiles | None
    lag: Percentiles | None
    slowest: tuple[Sighting, ...]
    first_failed: tuple[Sighting, ...]


def totals(plan: LoadPlan, mix: Mix, bout: Bout, gauges: Ints, folder: Path) -> Totals:
    """Write the phase's HDR logs to `folder` and return what they and the counts say.

    gauges: the generator's own counters at the end, shape (targets, COLUMNS), for what arrivals do not tell.
    """
    name = plan.phases[bout.number].name
    arrivals = bout.arrivals[: bout.scheduled]
    late = arrivals["intended"] >= bout.measured
    if bout.per_target:  # no schedule says when the first ones are due: as soon as they can be sent
        first = arrivals[: bout.outstanding]
        first["intended"] = first["taken"]
    arrivals["outcome"][list(bout.wrong)] = Outcome.BAD_BODY
    measured, warm = arrivals[late], arrivals[~late]
    second = (measured["intended"] - bout.measured) // SECOND_NS
    start_epoch_s = time.time() - (time.monotonic_ns() - bout.measured) / SECOND_NS
    us, lag = _us(measured, "settled", "intended"), _us(measured, "taken", "intended")
    sent, service = measured["sent"] > 0, _us(measured, "settled", "sent")
    target_of = mix.target_of[measured["choice"]]
    warm_counts = counted(warm, mix) if bout.measured > bout.begin else None
    all_counts = counted(measured, mix)
    all_counts[:, (OPEN, BROKEN)] = gauges[:, (OPEN, BROKEN)]
    targets = {}
    for k, target in enumerate(mix.targets):
        mine = target_of == k
        write_log(folder / f"{name}.{target.name}.hlog", second[mine], us[mine], start_epoch_s)
        before = None if warm_counts is None else row_counts(warm_counts[k])
        served = mine & sent
        write_log(folder / f"{name}.{target.name}.{SERVICE_LOG}.hlog", second[served], service[served], start_epoch_s)
        targets[target.name] = TargetResult(
            row_counts(all_counts[k]), percentiles(us[mine]), before, percentiles(service[served])
        )
    write_log(folder / f"{name}.{LAG_LOG}.hlog", second, lag, start_epoch_s)
    return Totals(
        targets=targets,
        latency=percentiles(us),
        service=percentiles(service[sent]),
        lag=percentiles(lag),
        slowest=_sightings(plan, mix, bout, _slowest(arrivals, late)),
        first_failed=_sightings(plan, mix, bout, _first_failed(arrivals, late)),
    )


def counted(arrivals: Rows, mix: Mix) -> Ints:
    """Outcomes, scheduled and sent of settled arrivals, shape (targets, COLUMNS)."""
    counts = np.zeros((len(mix.targets), COLUMNS), dtype=np.int64)
    target = mix.target_of[arrivals["choice"]]
    np.add.at(counts, (target, arrivals["outcome"].astype(np.int64)), 1)
    counts[:, SCHEDULED] = np.bincount(target, minlength=len(counts))
    counts[:, SENT] = np.bincount(target[arrivals["sent"] > 0], minlength=len(counts))
    return counts


def row_counts(row: Ints) -> TargetCounts:
    """One target's counters by name."""
    failed = {kind.name.lower(): int(row[kind]) for kind in FAILURES if row[kind]}
    return TargetCounts(
        scheduled=int(row[SCHEDULED]),
        sent=int(row[SENT]),
        done=int(row[Outcome.DONE]),
        failed=failed,
        unsent=int(row[Outcome.UNSENT]),
        open=int(row[OPEN]),
        broken=int(row[BROKEN]),
    )


def _us(arrivals: Rows, end: str, start: str) -> Ints:
    spent: Ints = np.maximum((arrivals[end] - arrivals[start]) // 1000, 0)
    return spent


def _slowest(arrivals: Rows, late: NDArray[np.bool_]) -> Ints:
    """The measured arrivals with the longest latency, longest first."""
    places = np.flatnonzero(late)
    spent = arrivals["settled"][places] - arrivals["intended"][places]
    if len(places) > SIGHTINGS:
        kept = np.argpartition(spent, -SIGHTINGS)[-SIGHTINGS:]
        places, spent = places[kept], spent[kept]
    longest: Ints = places[np.argsort(-spent, kind="stable")]
    return longest


def _first_failed(arrivals: Rows, late: NDArray[np.bool_]) -> Ints:
    outcome = arrivals["outcome"]
    failed: Ints = np.flatnonzero(late & (outcome >= Outcome.CONNECT) & (outcome <= Outcome.BAD_BODY))[:SIGHTINGS]
    return failed


def _sightings(plan: LoadPlan, mix: Mix, bout: Bout, places: Ints) -> tuple[Sighting, ...]:
    found = []
    for i in places.tolist():
        arrival = bout.arrivals[i]
        choice = int(arrival["choice"])
        number = i * plan.processes + plan.part
        found.append(
            Sighting(
                id=request_id(plan.run_id, bout.number, number) if mix.id_at[choice] >= 0 else "",
                target=mix.targets[mix.target_of[choice]].name,
                path=mix.requests[choice].path,
                outcome=Outcome(int(arrival["outcome"])).name.lower(),
                intended_ns=int(arrival["intended"]),
                latency_us=int(arrival["settled"] - arrival["intended"]) // 1000,
                reason=bout.wrong.get(i, ""),
            )
        )
    return tuple(found)
