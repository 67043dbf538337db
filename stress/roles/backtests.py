"""Many backtests at once over the engine's HTTP: each answer counted, a sample computed again."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import msgspec

from engines.wire.errors import NautilusError
from reports import records
from stress.backtests.asked import Ask, asked
from stress.history.stamp import stamp
from stress.run import Run
from stress.specs.backtests import Backtests

ENGINE = "backtesting"
_OK, _BAD_REQUEST, _SERVER_ERROR = 200, 400, 500
_REASON = 300  # characters kept of a refusal


class Answer(msgspec.Struct, frozen=True):
    """What came of one request; `status` None: nobody answered, `data` says why."""

    ask: Ask
    status: int | None
    data: bytes
    milliseconds: float


async def carry_out(run: Run, spec: Backtests) -> None:
    """Ask, so many at a time, then judge and compare."""
    name = spec.title
    asks = await asyncio.to_thread(asked, spec.singles, spec.sweeps, spec.refused, run.seed)
    run.phase(name, "start", measured=True)
    run.say(name, f"{len(asks)} requests, {spec.concurrency} at once")
    began = time.monotonic()
    answers = await _all(run, spec, asks)
    seconds = time.monotonic() - began
    await run.probe(name)
    run.phase(name, "end", measured=True)
    run.say(name, "computing a sample again")
    made = await asyncio.to_thread(_judged, name, answers, spec.check_every)
    for record in made:
        run.add(record)
    run.add(account(name, spec.concurrency, seconds, made))
    await run.probe("end")


async def _all(run: Run, spec: Backtests, asks: Sequence[Ask]) -> list[Answer]:
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(spec.concurrency, "backtests")
    try:
        futures = [loop.run_in_executor(pool, _ask, run, ask, spec.timeout_s) for ask in asks]
        return list(await asyncio.gather(*futures))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _ask(run: Run, ask: Ask, timeout_s: float) -> Answer:
    began = time.monotonic()
    status: int | None = None
    try:
        status, data = run.fleet.exchange(ENGINE, ask.method, ask.path, ask.body, timeout_s)
    except NautilusError as error:
        data = str(error).encode()
    return Answer(ask, status, data, (time.monotonic() - began) * 1e3)


def _judged(phase: str, answers: Sequence[Answer], check_every: int) -> list[records.BacktestResult]:
    """Every answer as a record; each kind's first and then every so manieth success is computed again."""
    seen = Counter[str]()
    found = []
    for number, answer in enumerate(answers):
        checked = answer.ask.wanted == "succeeded" and seen[answer.ask.method] % check_every == 0
        seen[answer.ask.method] += answer.ask.wanted == "succeeded"
        found.append(judged(phase, number, answer, checked=checked))
    return found


def judged(phase: str, number: int, answer: Answer, *, checked: bool) -> records.BacktestResult:
    """What came of one request; an answer that does not hold what it must has failed."""
    outcome: Literal["succeeded", "rejected", "failed"] = "failed"
    reason, values = answer.data.decode("utf-8", "replace")[:_REASON], dict[str, float]()
    if answer.status == _OK:
        try:
            values, outcome, reason = values_of(answer), "succeeded", ""
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, IndexError) as error:
            reason = f"{type(error).__name__}: {error}"[:_REASON]
    elif answer.status is not None and _BAD_REQUEST <= answer.status < _SERVER_ERROR:
        outcome = "rejected"
    return records.BacktestResult(
        **stamp(),
        phase=phase,
        number=number,
        request=answer.ask.words,
        wanted=answer.ask.wanted,
        outcome=outcome,
        reason=reason,
        milliseconds=answer.milliseconds,
        runs=int(values.get("runs", 1)) if outcome == "succeeded" else 0,
        values=values,
        independent=answer.ask.independent() if checked and outcome == "succeeded" else {},
    )


def values_of(answer: Answer) -> dict[str, float]:
    """The numbers of an answer.  Raises what decoding and looking up raise."""
    document: dict[str, Any] = msgspec.json.decode(answer.data)
    if answer.ask.method == "POST":
        best = document["best"][0]["statistics"]["total_return"]
        return {"runs": float(document["runs"]), "days": float(document["days"]), "best_return": float(best)}
    found = document["statistics"]
    return {name: float(value) for name, value in found.items() if value is not None}


def account(phase: str, concurrency: int, seconds: float, made: Sequence[records.BacktestResult]) -> records.Backtests:
    """The phase in sums."""
    outcomes = Counter(record.outcome for record in made)
    return records.Backtests(
        **stamp(),
        phase=phase,
        concurrency=concurrency,
        seconds=seconds,
        executed=len(made),
        succeeded=outcomes["succeeded"],
        rejected=outcomes["rejected"],
        failed=outcomes["failed"],
        runs=sum(record.runs for record in made),
    )
