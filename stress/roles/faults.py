"""Faults while a calm day is replayed, one after the other or by the clock, and the way back from each, stamped."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from engines.wire.errors import NautilusError
from stress.roles import account
from stress.roles.account import Account
from stress.roles.injection import Due, Injection
from stress.run import Run
from stress.specs.faults import Faults

_CALM = ("10:00:00", "14:30:00")  # New York: hours without a crash, long enough for every fault
_REPLAY_S = 90.0  # the longest wait for a replay to begin or to stop; it builds the day first


async def carry_out(run: Run, spec: Faults) -> None:
    """Replay, harm and watch, then account for every message."""
    began = time.monotonic()
    await _replay(run, spec)
    injection = Injection(run, spec.title, spec.limit_s)
    run.phase(spec.title, "start", measured=True)
    try:
        await _harm(run, spec, injection)
    finally:
        await injection.close()
        run.phase(spec.title, "end", measured=True)
    run.go_on()
    replay = await _stop_replay(run)
    await account.carry_out(run, Account(f"{spec.title}-after", spec.title, f"r{replay}/window", began, spec.drain_s))


async def _harm(run: Run, spec: Faults, injection: Injection) -> None:
    if not spec.scheduled:
        for fault in spec.all():
            run.go_on()
            await injection.after(fault, spec.rest_s)
        return
    start = time.monotonic_ns()
    due = [Due(each.at_s or 0.0, fault) for each, fault in zip(spec.faults, spec.all(), strict=True)]
    await injection.schedule(due, start)
    await asyncio.sleep(max(0.0, start / 1e9 + spec.seconds - time.monotonic()))


async def _replay(run: Run, spec: Faults) -> None:
    """Calm hours of a day at a constant speed, and messages flowing."""
    window = {"start": _CALM[0], "end": _CALM[1], "speed": spec.speed}
    request = {"scenario": spec.scenario, "seed": run.seed, "window": window}
    await asyncio.to_thread(run.fleet.post, "marketdata", "/replay", request)

    def flows(status: dict[str, Any]) -> bool:
        return status["segment"] == "window" and bool(status["published"].get("trades"))

    await _reached(run, flows, "The replay did not begin.")


async def _stop_replay(run: Run) -> int:
    await asyncio.to_thread(run.fleet.post, "marketdata", "/replay/stop", {})
    status = await _reached(run, lambda status: status["state"] == "finished", "The replay did not stop.")
    return int(status["replay"])


async def _reached(run: Run, holds: Callable[[dict[str, Any]], bool], otherwise: str) -> dict[str, Any]:
    """The replay's status once something holds of it.  Raises NautilusError: not in time, or it failed."""
    until = time.monotonic() + _REPLAY_S
    status: dict[str, Any] = {}
    while time.monotonic() < until and status.get("state") != "failed":
        with contextlib.suppress(NautilusError):  # marketdata is being replaced: the replay goes on where it was
            status = await asyncio.to_thread(run.fleet.get, "marketdata", "/replay")
            if holds(status):
                return status
        await asyncio.sleep(0.1)
    raise NautilusError(otherwise, str(status.get("error", "")), "Read logs/marketdata.log.")
