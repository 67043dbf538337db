"""A load plan as flat arrays: what both generators read and write while they run.

Every time is CLOCK_MONOTONIC in nanoseconds.
"""

import socket
import struct
import sys
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stress.load.errors import LoadError
from stress.load.ids import DIGITS, HEADER, request_id
from stress.load.plan import ClosedPhase, LoadPlan, OpenPhase, Phase, Request, Target
from stress.load.result import Outcome
from stress.load.schedule import dealt, even_arrivals, poisson_arrivals, weighted_choices

ARRIVAL = np.dtype(
    [
        ("intended", "i8"),  # when it should be sent
        ("taken", "i8"),  # when the generator took it up
        ("sent", "i8"),  # when its first byte went to a connection; 0 when none did
        ("settled", "i8"),  # when it was answered, failed or was given up
        ("after", "i8"),  # index of the arrival that waits behind it for a connection, or -1
        ("choice", "u2"),  # index of its request
        ("outcome", "u1"),
    ],
    align=True,
)
REQUEST = np.dtype(
    [
        ("address", "u8"),
        ("length", "i8"),
        ("id_at", "i8"),
        ("target", "i4"),
        ("status", "i4"),
        ("passed", "i4"),  # row of the body that passed its check last, or -1
        ("check", "u1"),
    ],
    align=True,
)

# Columns of the counters, shape (2, targets, COLUMNS): of what is measured, and of the warm-up; the first nine are the
# outcomes.  Connections, open and broken, are counted in the first of the two.
SCHEDULED, SENT, OPEN, BROKEN, COLUMNS = 9, 10, 11, 12, 13

LEAD_NS = 20_000_000  # from handing a phase to the generator to its first instant


@dataclass(frozen=True)
class Mix:
    """The requests of all targets, numbered through."""

    targets: tuple[Target, ...]
    requests: tuple[Request, ...]
    target_of: NDArray[np.int32]  # (requests,)
    weights: NDArray[np.float64]  # (requests,), summing to one
    wire: tuple[bytes, ...]
    id_at: tuple[int, ...]  # where the digits of its id are in each; -1 without an id


def mix_of(plan: LoadPlan) -> Mix:
    """Number the plan's requests and write them as HTTP/1.1."""
    pairs = [(i, request) for i, target in enumerate(plan.targets) for request in target.requests]
    shares = [sum(request.weight for request in target.requests) for target in plan.targets]
    weights = np.array([plan.targets[i].weight * request.weight / shares[i] for i, request in pairs])
    wire = tuple(wire_bytes(plan.targets[i], request, plan.run_id if plan.correlate else "") for i, request in pairs)
    return Mix(
        targets=plan.targets,
        requests=tuple(request for _, request in pairs),
        target_of=np.array([i for i, _ in pairs], dtype=np.int32),
        weights=weights / weights.sum(),
        wire=wire,
        id_at=tuple(_id_at(data, plan.run_id) if plan.correlate else -1 for data in wire),
    )


def _id_at(wire: bytes, run: str) -> int:
    """Where the digits of our id start in a request; -1 when it brings a header of its own of that name."""
    line = f"\r\n{HEADER}: {request_id(run, 0, 0)}\r\n".encode()
    found = wire.find(line)
    return -1 if found < 0 else found + len(line) - 2 - DIGITS


def wire_bytes(target: Target, request: Request, run: str = "") -> bytes:
    """One request as it goes over the connection, with the id of a first arrival where `run` is given."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    headers = {"Host": f"{host}:{target.port}", **request.headers}
    if run and HEADER.lower() not in {name.lower() for name in request.headers}:
        headers |= {HEADER: request_id(run, 0, 0)}
    body = b"" if request.body is None else request.body.encode()
    if request.body is not None:
        headers |= {"Content-Type": request.content_type}
    if body or request.method in ("POST", "PUT", "PATCH"):
        headers |= {"Content-Length": str(len(body))}
    lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def arrivals_of(phase: Phase, number: int, plan: LoadPlan, mix: Mix) -> NDArray[np.void]:
    """This part's arrivals of phase `number` of the plan, times counted from 0, dtype ARRIVAL.

    All parts of an open phase draw the same schedule, and each takes every `processes`-th of it, so that together
    they send exactly what one process would.  A closed phase has room for all that it may send; only its first
    arrivals, its part of `concurrency`, have a time yet.
    """
    own = slice(plan.part, None, plan.processes)
    if isinstance(phase, OpenPhase):
        rng = np.random.default_rng((plan.seed, number))
        rate = np.asarray(phase.rate, dtype=np.float64)
        if phase.arrivals == "poisson":
            seconds = poisson_arrivals(rate, phase.step_s, rng)
        else:
            seconds = even_arrivals(rate, phase.step_s)
        choices = weighted_choices(mix.weights, len(seconds), rng)[own]
        seconds = seconds[own]
    else:
        rng = np.random.default_rng((plan.seed, number, plan.part) if plan.processes > 1 else (plan.seed, number))
        first = dealt(mix.weights, phase.concurrency)[own]
        seconds = np.zeros(len(first))
        room = int(phase.duration_s * phase.requests_per_s_max) // plan.processes
        choices = weighted_choices(mix.weights, len(first) + room, rng)
        if phase.per_target:
            choices[: len(first)] = first
    table = np.zeros(len(choices), dtype=ARRIVAL)
    table["intended"][: len(seconds)] = np.round(seconds * 1e9)
    table["choice"] = choices
    table["after"] = -1
    table["outcome"] = Outcome.PENDING
    return table


@dataclass
class Bout:
    """One phase in the generator's hands.  `scheduled` is final once the bout has been driven."""

    arrivals: NDArray[np.void]
    number: int  # the phase's place in the plan
    begin: int
    end: int
    measured: int  # what is due before is warm-up
    think: int  # nanoseconds; -1 in an open phase
    scheduled: int  # arrivals[:scheduled] have a time
    per_target: bool = False
    outstanding: int = 0  # at any time, in a closed phase
    wrong: dict[int, str] = field(default_factory=dict)  # why, of arrivals whose reply's body failed its check


def bout_of(phase: Phase, number: int, arrivals: NDArray[np.void], begin: int, plan: LoadPlan) -> Bout:
    """Fix the arrivals of phase `number` to the clock: its first instant is `begin`."""
    scheduled, think, per_target, outstanding = len(arrivals), -1, False, 0
    if isinstance(phase, ClosedPhase):
        scheduled = outstanding = len(range(plan.part, phase.concurrency, plan.processes))
        think, per_target = round(phase.think_s * 1e9), phase.per_target
    arrivals["intended"][:scheduled] += begin
    end, measured = begin + round(phase.duration_s * 1e9), begin + round(phase.warm_s * 1e9)
    return Bout(arrivals, number, begin, end, measured, think, scheduled, per_target, outstanding)


def socket_address(target: Target) -> tuple[int, bytes]:
    """Address family and the C socket address of a target (Linux layout).  Raises LoadError for an unknown host."""
    try:
        family, _, _, _, address = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise LoadError(f"The host {target.host!r} of {target.name} is unknown.", str(error)) from error
    host, port = str(address[0]), target.port
    start = family.to_bytes(2, sys.byteorder) + struct.pack("!H", port)
    if family == socket.AF_INET6:
        return family, start + bytes(4) + socket.inet_pton(family, host.partition("%")[0]) + bytes(4)
    return family, start + socket.inet_pton(family, host) + bytes(8)
