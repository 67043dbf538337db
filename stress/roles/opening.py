"""The state that a mission begins its replays with, taken while a replay is under way."""

import asyncio
import time

from engines.wire.scenario import Scenario
from stress import start
from stress.run import Run

_POLL_S = 0.05


async def begin(run: Run, phase: str, scenario: Scenario, limit_s: float | None = None) -> None:
    """Take the mission's starting state, where it has one, and record what was reached in its own time or `limit_s`."""
    wanted = run.mission.start
    if wanted is None:
        return
    run.say(phase, "taking the starting state")
    limit = wanted.limit_s if limit_s is None else min(wanted.limit_s, limit_s)
    until = time.monotonic() + limit
    replay = await asyncio.to_thread(_running, run, until)
    multipliers = {instrument.symbol: instrument.multiplier for instrument in scenario.instruments}
    at = start.Opening(phase, replay, multipliers, max(0.0, until - time.monotonic()))
    for state in await asyncio.to_thread(start.realise, run.fleet, wanted, at):
        run.add(state)


def _running(run: Run, until: float) -> int:
    """The number of the replay under way, once its tape is built; 0 when it is not in time."""
    while time.monotonic() < until:
        status = run.fleet.get("marketdata", "/replay")
        if status["state"] == "running":
            return int(status["replay"])
        time.sleep(_POLL_S)
    return 0
