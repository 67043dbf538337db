"""The epoll generator: owns the reactor's arrays and runs it in the calling thread (Linux)."""

import ctypes
import mmap
import os
import select
from typing import Any

import httptools
import numpy as np
from numpy.typing import NDArray

from stress.load import layout, libc, reactor
from stress.load.generator import Sample
from stress.load.ids import of_phase
from stress.load.plan import LoadPlan
from stress.load.tables import ARRIVAL, COLUMNS, OPEN, REQUEST, Bout, Mix, socket_address

SLOTS = 4096  # replies that may wait for their check: 80,000 a second


def usable() -> bool:
    """Whether this kernel has epoll_pwait2 (Linux 5.11), without which waits are rounded to milliseconds."""
    with select.epoll() as probe:
        event, no_time = ctypes.create_string_buffer(16), (ctypes.c_int64 * 2)(0, 0)
        arguments = (libc.SYS_EPOLL_PWAIT2, probe.fileno(), event, 1, no_time, None, ctypes.c_size_t(0))
        return bool(ctypes.CDLL(None).syscall(*arguments) == 0)


class ReplyBody:
    """Collects the body of one raw reply."""

    def __init__(self, raw: bytes) -> None:
        self.parts: list[bytes] = []
        httptools.HttpResponseParser(self).feed_data(raw)

    def on_body(self, part: bytes) -> None:
        """Called by the parser."""
        self.parts.append(part)


class EpollGenerator:
    """See `stress.load.generator.Generator`."""

    name = "epoll"

    def __init__(self, plan: LoadPlan, mix: Mix) -> None:
        self._buffers: list[Any] = []  # ctypes buffers whose addresses the tables hold
        self._mix = mix
        self._slot_bytes = _untouched(SLOTS)
        self._passed = _untouched(2 * len(mix.requests))
        self._parts = _untouched(plan.connections)  # of split replies
        self.counts: NDArray[np.int64] = np.zeros((2, len(plan.targets), COLUMNS), dtype=np.int64)
        self._epoll = select.epoll()
        self._wire = np.frombuffer(bytearray(b"".join(mix.wire)), dtype=np.uint8)
        self._tables = layout.Tables(
            loop=np.zeros(1, dtype=layout.LOOP),
            conns=_connections(plan),
            row=np.zeros(layout.ROW, dtype=np.uint8),
            targets=self._targets(plan),
            requests=self._requests(mix),
            wire=self._wire,
            arrivals=np.zeros(1, dtype=ARRIVAL),
            counts=self.counts,
            slots=np.zeros(SLOTS, dtype=layout.SLOT),
            lengths=np.zeros(2 * len(mix.requests), dtype=np.int64),
            words=np.zeros(4, dtype=np.int64),
            events=np.zeros(layout.EVENTS * libc.EVENT_WORDS, dtype=np.int32),
        )
        loop = self._tables.loop
        loop["epoll"] = self._epoll.fileno()
        loop["timeout"] = round(plan.timeout_s * 1e9)
        loop["pace"] = max(1, round(plan.connects_per_s * layout.SWEEP_NS / 1e9))
        loop["sample_every"] = plan.sample_every
        loop["parts"] = self._parts.ctypes.data
        loop["slots"] = self._slot_bytes.ctypes.data
        loop["passed"] = self._passed.ctypes.data
        loop["think"] = -1
        loop["part"], loop["processes"] = plan.part, plan.processes
        self.open(0)  # its time is over: this only compiles, or loads what was compiled before

    def _keep(self, data: bytes) -> int:
        """Address of a copy of `data` that lives as long as the generator."""
        buffer = ctypes.create_string_buffer(data, len(data))
        self._buffers.append(buffer)
        return ctypes.addressof(buffer)

    def _targets(self, plan: LoadPlan) -> NDArray[np.void]:
        table = np.zeros(len(plan.targets), dtype=layout.TARGET)
        for row, target in zip(table, plan.targets, strict=True):
            family, address = socket_address(target)
            row["address"], row["address_length"], row["family"] = self._keep(address), len(address), family
        for column in ("first", "last", "waiting", "waiting_last"):
            table[column] = -1
        return table

    def _requests(self, mix: Mix) -> NDArray[np.void]:
        table = np.zeros(len(mix.requests), dtype=REQUEST)
        table["length"] = [len(wire) for wire in mix.wire]
        starts = np.cumsum(table["length"]) - table["length"]
        table["address"] = self._wire.ctypes.data + starts
        table["id_at"] = np.where(np.array(mix.id_at) < 0, -1, starts + mix.id_at)
        table["target"] = mix.target_of
        table["status"] = [request.status for request in mix.requests]
        table["passed"] = -1
        table["check"] = [request.has_expectations for request in mix.requests]
        return table

    def open(self, limit_ns: int) -> int:
        """Open the connections at the plan's pace."""
        loop = self._tables.loop
        loop["opening"], loop["end"], loop["next"], loop["total"] = 1, limit_ns, 0, 0
        reactor.drive(self._tables)
        loop["opening"] = 0
        return int(loop["open"][0])

    def drive(self, bout: Bout) -> None:
        """Send one phase."""
        loop = self._tables.loop
        still_open = self.counts[0, :, OPEN].copy()
        self.counts[:] = 0
        self.counts[0, :, OPEN] = still_open
        for field in ("next", "unsettled", "stall", "put", "taken", "unchecked", "same", "stopped"):
            loop[field] = 0
        loop["total"], loop["end"], loop["think"] = bout.scheduled, bout.end, bout.think
        loop["per_target"], loop["measured"] = bout.per_target, bout.measured
        phased = (of_phase(*pair, bout.number) for pair in zip(self._mix.wire, self._mix.id_at, strict=True))
        self._wire[:] = np.frombuffer(b"".join(phased), dtype=np.uint8)
        self._tables = self._tables._replace(arrivals=bout.arrivals)
        reactor.drive(self._tables)
        bout.scheduled = int(loop["next"][0])

    def stop(self) -> None:
        """Ask the reactor to stop; it looks at every turn of its loop."""
        self._tables.loop["stop"] = 1

    def samples(self) -> list[Sample]:
        """Bodies of the replies set aside since the last call."""
        loop, slots, arrivals = self._tables.loop, self._tables.slots, self._tables.arrivals
        found = []
        for n in range(int(loop["taken"][0]), int(loop["put"][0])):
            slot = n % SLOTS
            raw = self._slot_bytes[slot, : slots["length"][slot]].tobytes()
            arrival = int(slots["arrival"][slot])
            choice, intended = int(arrivals["choice"][arrival]), int(arrivals["intended"][arrival])
            body = b"".join(ReplyBody(raw).parts)
            found.append(Sample(arrival, choice, intended < int(loop["measured"][0]), body))
            loop["taken"] = n + 1
        return found

    def learn(self, choice: int, body: bytes) -> None:
        """The row that the reactor does not compare with is written, then made the one that it does."""
        if len(body) > layout.ROW:
            return
        requests, lengths = self._tables.requests, self._tables.lengths
        row = 2 * choice + (requests["passed"][choice] == 2 * choice)
        self._passed[row, : len(body)] = np.frombuffer(body, dtype=np.uint8)
        lengths[row] = len(body)
        requests["passed"][choice] = row

    def same(self) -> int:
        """Replies of this phase that equalled a body that had passed."""
        return int(self._tables.loop["same"][0])

    def unchecked(self) -> int:
        """Sampled replies that were too large or came while every slot was full."""
        return int(self._tables.loop["unchecked"][0])

    def stall_ns(self) -> int:
        """The longest turn of the loop so far."""
        return int(self._tables.loop["stall"][0])

    def close(self) -> None:
        """Close every connection."""
        for fd in self._tables.conns["fd"]:
            if fd >= 0:
                os.close(int(fd))
        self._tables.conns["fd"] = -1
        self._epoll.close()


def _untouched(rows: int) -> NDArray[np.uint8]:
    """Rows of memory that cost nothing until they are written, in small pages: clearing a huge one is a stall."""
    memory = mmap.mmap(-1, rows * layout.ROW)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, dtype=np.uint8).reshape(rows, layout.ROW)


def _connections(plan: LoadPlan) -> NDArray[np.void]:
    """The connections of all targets, dealt in turn so that opening reaches every target from the start."""
    table = np.zeros(plan.connections, dtype=layout.CONNECTION)
    turns = [(turn, k) for k, target in enumerate(plan.targets) for turn in range(target.connections)]
    table["target"] = [k for _, k in sorted(turns)]
    table["fd"] = -1
    return table
