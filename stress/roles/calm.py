"""Calm hours of a day, replayed again and again: market data without a crash for as long as it takes."""

import asyncio
import contextlib
import time
from typing import Any

from engines.wire.errors import NautilusError
from stress.run import Run

_START, _END = "10:00:00", "14:30:00"  # New York
_HOURS_S = 4.5 * 3600
_SPARE_S = 2.0  # a replay is ended so long before its calm hours are over
_BEGIN_S, _POLL_S = 90.0, 0.1


class Calm:
    """The replays of one phase.  `number` is the last one's."""

    def __init__(self, run: Run, scenario: str, speed: float) -> None:
        self.number = 0
        self._run = run
        self._request = {
            "scenario": scenario,
            "seed": run.seed,
            "window": {"start": _START, "end": _END, "speed": speed},
        }
        self._lasts_s = max(_SPARE_S, _HOURS_S / speed - _SPARE_S)
        self._again: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Replay, and see to it that it goes on.  Raises NautilusError: nothing flows."""
        await self._start()
        self._again = asyncio.create_task(self._go_on())

    def let_go(self) -> None:
        """See to nothing any more."""
        if self._again is not None:
            self._again.cancel()

    async def end(self) -> None:
        """Stop the replay under way.  Raises NautilusError: replays did not go on, or this one does not stop."""
        self.let_go()
        if self._again is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._again
        await self._finish()

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._lasts_s)
            await self._finish()
            await self._start()

    async def _start(self) -> None:
        await asyncio.to_thread(self._run.fleet.post, "marketdata", "/replay", self._request)
        status = await self._until(lambda s: s["segment"] == "window" and bool(s["published"].get("trades")))
        self.number = int(status["replay"])

    async def _finish(self) -> None:
        await asyncio.to_thread(self._run.fleet.post, "marketdata", "/replay/stop", {})
        await self._until(lambda s: s["state"] == "finished")

    async def _until(self, holds: Any) -> dict[str, Any]:
        until = time.monotonic() + _BEGIN_S
        status: dict[str, Any] = {}
        while time.monotonic() < until:
            status = await asyncio.to_thread(self._run.fleet.get, "marketdata", "/replay")
            if holds(status):
                return status
            if status["state"] == "failed":
                break
            await asyncio.sleep(_POLL_S)
        why = status.get("error") or f"It is {status['state']} in segment {status['segment']} after {_BEGIN_S:.0f} s."
        raise NautilusError("The replay of a calm day does not go on.", str(why), "Read logs/marketdata.log.")
