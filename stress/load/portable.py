"""The asyncio generator: the same behaviour as the epoll one, on every system, at a higher cost per request."""

import asyncio
import socket
import sys
from collections import deque
from time import monotonic_ns
from typing import cast

import httptools
import numpy as np
from numpy.typing import NDArray

from stress.load.generator import Sample
from stress.load.ids import of_arrival, of_phase
from stress.load.plan import LoadPlan
from stress.load.result import Outcome
from stress.load.tables import BROKEN, COLUMNS, OPEN, SCHEDULED, SENT, Bout, Mix

ADMIT_MAX = 64  # arrivals taken up between two looks at the sockets
CONNECTING_MAX = 64
SWEEP_S = 0.01
RETRY_NS = 100_000_000


class Connection(asyncio.Protocol):
    """One connection and the reply it is reading."""

    def __init__(self, owner: "AsyncioGenerator", target: int) -> None:
        self.owner = owner
        self.target = target
        self.connecting = False
        self.retry = 0
        self.transport: asyncio.Transport | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the last reply."""
        self.arrival = -1
        self.parser = httptools.HttpResponseParser(self)
        self.framed = False  # the head says how long the body is
        self.headed = False  # the head is complete
        self.body: list[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self.reset()
        self.transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.owner.connected(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self.arrival < 0:
            self.owner.drop(self)
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.owner.fail(self, Outcome.HTTP_OTHER)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio; at once for us, later when we closed it ourselves."""
        if self.transport is None:
            return
        if self.arrival >= 0 and self.headed and not self.framed and exc is None:
            self.owner.complete(self, keep=False)
        elif self.arrival >= 0:
            self.owner.fail(self, Outcome.RESET)
        else:
            self.owner.drop(self)

    def on_header(self, name: bytes, _value: bytes) -> None:
        """Called by the parser."""
        self.framed = self.framed or name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self.headed = True

    def on_body(self, part: bytes) -> None:
        """Called by the parser."""
        if self.body is not None:
            self.body.append(part)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self.arrival >= 0:
            self.owner.complete(self, keep=self.parser.should_keep_alive())


class AsyncioGenerator:
    """See `stress.load.generator.Generator`."""

    name = "asyncio"

    def __init__(self, plan: LoadPlan, mix: Mix) -> None:
        self._plan, self._mix = plan, mix
        self._loop = _new_loop()
        turns = sorted((turn, k) for k, target in enumerate(plan.targets) for turn in range(target.connections))
        self._connections = [Connection(self, k) for _, k in turns]
        self._free: list[dict[Connection, None]] = [{} for _ in plan.targets]  # oldest first
        self._waiting: list[deque[int]] = [deque() for _ in plan.targets]
        self._counts = [[[0] * COLUMNS for _ in plan.targets] for _ in range(2)]  # measured, warm-up
        self._connects: set[asyncio.Task[None]] = set()
        self._alive = [0] * len(plan.targets)
        self._target_of = mix.target_of.tolist()
        self._timeout = round(plan.timeout_s * 1e9)
        self._pace = max(1, round(plan.connects_per_s * SWEEP_S))
        self._samples: deque[Sample] = deque()
        self._passed: dict[int, bytes] = {}  # by request
        self._stopping = False
        self._idle = True  # no arrival has a time yet that the pump could wait for
        none = np.zeros(0, dtype=[("intended", "i8"), ("choice", "u2")])
        self._begin_bout(Bout(none, number=0, begin=0, end=0, measured=0, think=-1, scheduled=0))

    @property
    def counts(self) -> NDArray[np.int64]:
        """A copy, shape (2, targets, COLUMNS)."""
        return np.array(self._counts, dtype=np.int64)

    def _begin_bout(self, bout: Bout) -> None:
        self._bout = bout
        self._intended: list[int] = bout.arrivals["intended"][: bout.scheduled].tolist()
        self._choice: list[int] = bout.arrivals["choice"].tolist()
        self._taken = [0] * len(self._choice)
        self._sent = [0] * len(self._choice)
        self._wire = [of_phase(*pair, bout.number) for pair in zip(self._mix.wire, self._mix.id_at, strict=True)]
        self._settled = [0] * len(self._choice)
        self._outcome = [int(Outcome.PENDING)] * len(self._choice)
        self._next, self._unsettled, self._stall, self._same = 0, 0, 0, 0
        for row in (row for half in self._counts for row in half):
            row[:OPEN], row[BROKEN] = [0] * OPEN, 0

    def open(self, limit_ns: int) -> int:
        """Open the connections at the plan's pace."""
        return self._loop.run_until_complete(self._open(limit_ns))

    async def _open(self, limit_ns: int) -> int:
        while self._opened() < len(self._connections) and monotonic_ns() < limit_ns and not self._stopping:
            self._sweep(monotonic_ns())
            await asyncio.sleep(SWEEP_S)
        return self._opened()

    def _opened(self) -> int:
        return sum(row[OPEN] for row in self._counts[0])

    def drive(self, bout: Bout) -> None:
        """Send one phase."""
        self._begin_bout(bout)
        self._loop.run_until_complete(self._drive())
        bout.scheduled = self._next
        columns = {
            "taken": self._taken,
            "sent": self._sent,
            "settled": self._settled,
            "outcome": self._outcome,
            "choice": self._choice,
        }
        for column, values in columns.items():
            bout.arrivals[column] = values
        bout.arrivals["intended"][: self._next] = self._intended[: self._next]

    async def _drive(self) -> None:
        self._wake(0.0)
        while not self._finished():
            due = monotonic_ns() + round(SWEEP_S * 1e9)
            await asyncio.sleep(SWEEP_S)
            now = monotonic_ns()
            self._stall = max(self._stall, now - due)
            if self._stopping:
                self._halt(now)
            self._sweep(now)
        self._timer.cancel()

    def _finished(self) -> bool:
        return monotonic_ns() >= self._bout.end and self._next == len(self._intended) and self._unsettled == 0

    def _pump(self) -> None:
        """Take up the arrivals that are due, then wait for the next one."""
        last = min(len(self._intended), self._next + ADMIT_MAX)
        while self._next < last and self._intended[self._next] <= (now := monotonic_ns()):
            i = self._next
            self._next += 1
            self._unsettled += 1
            self._taken[i] = now
            k = self._target_of[self._choice[i]]
            self._counts[self._warm(i)][k][SCHEDULED] += 1
            if self._free[k]:
                connection = next(iter(self._free[k]))
                del self._free[k][connection]
                self._issue(connection, i)
            else:
                self._waiting[k].append(i)
        self._idle = self._next == len(self._intended)
        if not self._idle:
            self._wake(max(0.0, (self._intended[self._next] - monotonic_ns()) / 1e9))

    def _warm(self, i: int) -> int:
        return int(self._intended[i] < self._bout.measured)

    def _wake(self, delay_s: float) -> None:
        self._idle = False
        self._timer = self._loop.call_later(delay_s, self._pump)

    def _issue(self, connection: Connection, i: int) -> None:
        choice = self._choice[i]
        connection.arrival, self._sent[i] = i, monotonic_ns()
        if self._mix.requests[choice].has_expectations and i % self._plan.sample_every == 0:
            connection.body = []
        self._counts[self._warm(i)][connection.target][SENT] += 1
        if connection.transport is not None:
            n = i * self._plan.processes + self._plan.part
            connection.transport.write(of_arrival(self._wire[choice], self._mix.id_at[choice], n))

    def _settle(self, i: int, outcome: Outcome, now: int) -> None:
        self._settled[i] = now
        self._outcome[i] = int(outcome)
        self._counts[self._warm(i)][self._target_of[self._choice[i]]][outcome] += 1
        self._unsettled -= 1
        bout = self._bout
        if bout.think >= 0 and now + bout.think < bout.end and len(self._intended) < len(self._choice):
            if bout.per_target:
                self._choice[len(self._intended)] = self._choice[i]
            self._intended.append(now + bout.think)
            if self._idle:
                self._wake(bout.think / 1e9)

    def _offer(self, connection: Connection) -> None:
        waiting = self._waiting[connection.target]
        if waiting:
            self._issue(connection, waiting.popleft())
        else:
            self._free[connection.target][connection] = None

    def connected(self, connection: Connection) -> None:
        """A connection is open."""
        self._counts[0][connection.target][OPEN] += 1
        self._offer(connection)

    def complete(self, connection: Connection, *, keep: bool) -> None:
        """A whole reply is in."""
        i = connection.arrival
        wanted = self._mix.requests[self._choice[i]].status
        status = connection.parser.get_status_code()
        outcome = Outcome.DONE if status == wanted else _unexpected(status)
        if outcome is Outcome.DONE and connection.body is not None:
            self._look_at(i, b"".join(connection.body))
        self._settle(i, outcome, monotonic_ns())
        connection.reset()
        if keep:
            self._offer(connection)
        else:
            self.drop(connection)

    def _look_at(self, i: int, body: bytes) -> None:
        choice = self._choice[i]
        if self._passed.get(choice) == body:
            self._same += 1
        else:
            self._samples.append(Sample(i, choice, bool(self._warm(i)), body))

    def fail(self, connection: Connection, outcome: Outcome) -> None:
        """The request under way on a connection is lost, and the connection with it."""
        i, connection.arrival = connection.arrival, -1
        self._settle(i, outcome, monotonic_ns())
        self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection without a request; the next sweep opens it again."""
        if connection.transport is None:
            return
        transport, connection.transport = connection.transport, None
        transport.abort()
        connection.retry = 0
        self._free[connection.target].pop(connection, None)
        self._alive[connection.target] -= 1
        self._counts[0][connection.target][OPEN] -= 1
        self._counts[0][connection.target][BROKEN] += 1

    def _sweep(self, now: int) -> None:
        """Give up what has run out of time, and connect again at a bounded pace."""
        budget = min(self._pace, CONNECTING_MAX - len(self._connects))
        for connection in self._connections:
            i = connection.arrival
            if i >= 0 and now - self._intended[i] >= self._timeout:
                self.fail(connection, Outcome.TIMEOUT)
            elif connection.transport is None and not connection.connecting and budget > 0 and connection.retry <= now:
                budget -= 1
                task = self._loop.create_task(self._connect(connection))
                self._connects.add(task)
                task.add_done_callback(self._connects.discard)
        for waiting in self._waiting:
            while waiting and now - self._intended[waiting[0]] >= self._timeout:
                self._settle(waiting.popleft(), Outcome.UNSENT, now)

    async def _connect(self, connection: Connection) -> None:
        target = self._plan.targets[connection.target]
        connection.connecting = True
        self._alive[connection.target] += 1
        try:
            async with asyncio.timeout(self._plan.timeout_s):
                # A broken transport still calls the protocol it had; the new one must not hear it.
                await self._loop.create_connection(lambda: _Relay(connection), target.host, target.port)
        except OSError:
            now = monotonic_ns()
            connection.retry = now + RETRY_NS
            self._alive[connection.target] -= 1
            waiting = self._waiting[connection.target]
            while self._alive[connection.target] == 0 and waiting:
                self._settle(waiting.popleft(), Outcome.CONNECT, now)
        finally:
            connection.connecting = False

    def _halt(self, now: int) -> None:
        """Schedule nothing more; what waits is not sent, what is under way may end."""
        self._bout.end = min(self._bout.end, now)
        del self._intended[self._next :]
        for waiting in self._waiting:
            while waiting:
                self._settle(waiting.popleft(), Outcome.UNSENT, now)

    def stop(self) -> None:
        """Looked at in every sweep."""
        self._stopping = True

    def samples(self) -> list[Sample]:
        """Bodies of the sampled replies since the last call."""
        return [self._samples.popleft() for _ in range(len(self._samples))]

    def learn(self, choice: int, body: bytes) -> None:
        """Keep it."""
        self._passed[choice] = body

    def same(self) -> int:
        """Replies of this phase that equalled a body that had passed."""
        return self._same

    def unchecked(self) -> int:
        """Every sampled reply is kept."""
        return 0

    def stall_ns(self) -> int:
        """The longest that a timer was late."""
        return self._stall

    def close(self) -> None:
        """Close every connection and the loop."""
        self._loop.run_until_complete(self._close())
        self._loop.close()

    async def _close(self) -> None:
        for task in self._connects:
            task.cancel()
        await asyncio.gather(*self._connects, return_exceptions=True)
        for connection in self._connections:
            self.drop(connection)
        await asyncio.sleep(0)


class _Relay(asyncio.Protocol):
    """Passes the events of one transport on for as long as its connection still uses that transport."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._connection.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._connection.transport is self._transport:
            self._connection.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection.transport is self._transport:
            self._connection.connection_lost(exc)


def _unexpected(status: int) -> Outcome:
    return {4: Outcome.HTTP_4XX, 5: Outcome.HTTP_5XX}.get(status // 100, Outcome.HTTP_OTHER)


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's event loop where it exists, else asyncio's own."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()
