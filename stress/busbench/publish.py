"""A publisher: what the product's producers do, as fast as it goes or at an even rate.

On the main bus a batch is a commit (MULTI, fenced), as an engine's outputs are; on the market bus it is an append with
ids of its own, as the tape's batches are.  The next batch leaves when the server has answered the last one.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator

import numpy as np

from engines.wire.bus import Bus, Commit, Output
from engines.wire.errors import BusError
from engines.wire.messages import Body, Header, encode_body, encode_header
from stress.busbench import bodies
from stress.busbench.plan import WARM_UP, Publish, Published

_PAUSE_S = 0.05
_STEP_S = 0.001  # a paced publisher sends what is due, then sleeps so long
MonoNs = Callable[[], int]


class Publisher:
    """One publisher's numbers."""

    def __init__(self, plan: Publish, bus: Bus, mono_ns: MonoNs = time.monotonic_ns) -> None:
        self._plan = plan
        self._bus = bus
        self._mono_ns = mono_ns
        self._epoch = 0
        self._sent: dict[str, int] = {}
        self._stalls = 0
        self._lags: list[int] = []

    async def run(self) -> Published:
        """Publish until the time is up or the most have left.  Raises BusError."""
        plan = self._plan
        self._epoch = (await self._bus.claim(plan.producer)).epoch
        work = _work(plan)
        began, cpu = self._mono_ns(), time.process_time()
        until = began + round(plan.seconds * 1e9)
        number = 0
        while (now := self._mono_ns()) < until and (not plan.most or number < plan.most):
            batch = list(itertools.islice(work, self._due(now - began, number)))
            if batch:
                await self._send([self._output(body, began, number + n) for n, body in enumerate(batch)])
                number += len(batch)
            elif not plan.rate:
                break
            if plan.rate and len(batch) < plan.batch:
                await asyncio.sleep(_STEP_S)
        lag = float(np.percentile(np.array(self._lags), 99)) / 1e6 if self._lags else None
        return Published(
            messages=dict(self._sent),
            ticks=number * plan.rows if plan.work == "ticks" else 0,
            began_ns=began,
            lag_p99_ms=lag,
            stalls=self._stalls,
            cpu_s=time.process_time() - cpu,
        )

    def _due(self, elapsed_ns: int, number: int) -> int:
        """How many messages may leave now."""
        plan = self._plan
        most = plan.batch if not plan.most else min(plan.batch, plan.most - number)
        if not plan.rate:
            return most
        return min(most, int(elapsed_ns * plan.rate / 1e9) + 1 - number)

    def _output(self, body: Body, began: int, number: int) -> tuple[Output, str]:
        topic = body.TOPIC
        seq = self._sent[topic] = self._sent.get(topic, 0) + 1
        now = self._mono_ns()
        intended = now
        if self._plan.rate:
            intended = began + round(number / self._plan.rate * 1e9)
            self._lags.append(now - intended)
        trace = WARM_UP if intended - began < self._plan.warm_s * 1e9 else "bench"
        header = Header(self._plan.producer, self._epoch, seq, "", number, trace, now, intended, now)
        return Output(topic, encode_header(header), encode_body(body)), f"1-{seq}"

    async def _send(self, batch: list[tuple[Output, str]]) -> None:
        """A server without memory refuses all of a batch or, on the market bus, some: what is there is not repeated."""
        plan = self._plan
        while True:
            try:
                if plan.bus == "market":
                    await self._bus.append(batch)
                    return
                outputs = [output for output, _ in batch]
                await self._bus.commit(Commit(owner=plan.producer, epoch=self._epoch, cursors={}, outputs=outputs))
                return
            except BusError as error:
                if type(error) is not BusError or "OOM" not in error.why:
                    raise
                self._stalls += 1
                await asyncio.sleep(_PAUSE_S)


def _work(plan: Publish) -> Iterator[Body]:
    match plan.work:
        case "channels":
            return iter(bodies.bodies(plan.bus))
        case "ticks":
            return (bodies.ticks(n * plan.rows + 1, plan.rows) for n in itertools.count())
        case "single":
            if plan.bus == "market":
                return itertools.repeat(bodies.ticks(1, 1))
            return (bodies.order(n) for n in itertools.count(1))
