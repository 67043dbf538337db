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
from stress.load.plan import ClosedPhase, LoadPlan, OpenPhase, Phase, Request, Target
from stress.load.result import Outcome
from stress.load.schedule import dealt, even_arrivals, poisson_arrivals, weighted_choices

ARRIVAL = np.dtype(
    [
        ("intended", "i8"),  # when it should be sent
        ("taken", "i8"),  # when the generator took it up
        ("settled", "i8"),  # when it was answered, failed or was given up
        ("after", "i8"),  # index of the arrival that waits behind it for a connection, or -1
        ("choice", "u2"),  # index of its request
        ("outcome", "u1"),
    ],
    align=True,
)
REQUEST = np.dtype(
    [("address", "u8"), ("length", "i8"), ("target", "i4"), ("status", "i4"), ("check", "u1")],
    align=True,
)

# Columns of the counters, shape (targets, COLUMNS); the first nine are the outcomes.
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


def mix_of(plan: LoadPlan) -> Mix:
    """Number the plan's requests and write them as HTTP/1.1."""
    pairs = [(i, request) for i, target in enumerate(plan.targets) for request in target.requests]
    shares = [sum(request.weight for request in target.requests) for target in plan.targets]
    weights = np.array([plan.targets[i].weight * request.weight / shares[i] for i, request in pairs])
    return Mix(
        targets=plan.targets,
        requests=tuple(request for _, request in pairs),
        target_of=np.array([i for i, _ in pairs], dtype=np.int32),
        weights=weights / weights.sum(),
        wire=tuple(wire_bytes(plan.targets[i], request) for i, request in pairs),
    )


def wire_bytes(target: Target, request: Request) -> bytes:
    """One request as it goes over the connection."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    headers = {"Host": f"{host}:{target.port}", **request.headers}
    body = b"" if request.body is None else request.body.encode()
    if request.body is not None:
        headers |= {"Content-Type": request.content_type}
    if body or request.method in ("POST", "PUT", "PATCH"):
        headers |= {"Content-Length": str(len(body))}
    lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def arrivals_of(phase: Phase, number: int, plan: LoadPlan, mix: Mix) -> NDArray[np.void]:
    """The arrivals of phase `number` of the plan, times counted from 0, dtype ARRIVAL.

    A closed phase has room for all that it may send; only its first `concurrency` arrivals have a time yet.
    """
    rng = np.random.default_rng((plan.seed, number))
    if isinstance(phase, OpenPhase):
        rate = np.asarray(phase.rate, dtype=np.float64)
        seconds = (
            poisson_arrivals(rate, phase.step_s, rng)
            if phase.arrivals == "poisson"
            else even_arrivals(rate, phase.step_s)
        )
        count = len(seconds)
    else:
        count = phase.concurrency + int(phase.duration_s * phase.requests_per_s_max)
        seconds = np.zeros(phase.concurrency)
    table = np.zeros(count, dtype=ARRIVAL)
    table["intended"][: len(seconds)] = np.round(seconds * 1e9)
    table["choice"] = weighted_choices(mix.weights, count, rng)
    if isinstance(phase, ClosedPhase) and phase.per_target:
        table["choice"][: phase.concurrency] = dealt(mix.weights, phase.concurrency)
    table["after"] = -1
    table["outcome"] = Outcome.PENDING
    return table


@dataclass
class Bout:
    """One phase in the generator's hands.  `scheduled` is final once the bout has been driven."""

    arrivals: NDArray[np.void]
    begin: int
    end: int
    think: int  # nanoseconds; -1 in an open phase
    scheduled: int  # arrivals[:scheduled] have a time
    per_target: bool = False
    outstanding: int = 0  # at any time, in a closed phase
    wrong: list[int] = field(default_factory=list)  # arrivals answered with a body that failed its check


def bout_of(phase: Phase, arrivals: NDArray[np.void], begin: int) -> Bout:
    """Fix a phase's arrivals to the clock: its first instant is `begin`."""
    scheduled, think, per_target, outstanding = len(arrivals), -1, False, 0
    if isinstance(phase, ClosedPhase):
        scheduled = outstanding = phase.concurrency
        think, per_target = round(phase.think_s * 1e9), phase.per_target
    arrivals["intended"][:scheduled] += begin
    return Bout(arrivals, begin, begin + round(phase.duration_s * 1e9), think, scheduled, per_target, outstanding)


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
