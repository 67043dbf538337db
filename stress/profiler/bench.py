"""Times one device's kernels: `python -m stress.profiler.bench DEVICE`, the plan and the start signal on stdin.

It prepares (imports, compiles, checks every kernel against numpy once), says so, waits for a second line, and then
times.  Each answer is one JSON line.  A process of its own: threads are settled by its environment, and neither numba's
parallel kernels nor MLX bear a fork after them.
"""

import os
import sys
import time
from statistics import median

import msgspec
import numpy as np

from engines.wire.routing import Timing
from stress.profiler import devices, kernels
from stress.profiler.devices import Absent, Call, Opened, Unfit
from stress.profiler.kernels import Kernel

_SLICE_S = 0.0005  # a repeat lasts at least so long: quick calls are timed by the dozen
_LEAST, _MOST = 3, 101  # repeats


class Plan(msgspec.Struct, frozen=True):
    """What to time: kernels by name with their sizes, and seconds for each cell."""

    sizes: dict[str, list[int]]
    budget_s: float


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line: the device is ready or absent, it has prepared a kernel, or it has timed a size."""

    ready: bool = False
    absent: str = ""
    prepared: str = ""
    package: str = ""
    timing: Timing | None = None


def main(name: str) -> None:
    """Answer on stdout, which nothing else writes to."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a library's chatter goes to the errors
    way = devices.way(name)
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)

    def say(answer: Answer) -> None:
        out.write(msgspec.json.encode(answer) + b"\n")

    try:
        opened = way.open()
    except Absent as error:
        say(Answer(absent=str(error)))
        return
    chosen = [kernel for kernel in kernels.KERNELS if kernel.name in plan.sizes]
    for kernel in chosen:
        judge(name, opened, kernel, min(plan.sizes[kernel.name]))
        say(Answer(prepared=kernel.name))
    say(Answer(ready=True, package=opened.package))
    if not sys.stdin.buffer.readline():
        return  # whoever asked is gone
    for kernel in chosen:
        for size in plan.sizes[kernel.name]:
            say(Answer(timing=measure(name, opened, kernel, size, plan.budget_s)))


def judge(name: str, opened: Opened, kernel: Kernel, size: int) -> tuple[Timing, Call | None]:
    """Compute once and compare with numpy: the cell without its time, and the call, None when it does not count."""
    inputs = kernel.inputs(size)
    blank = Timing(kernel=kernel.name, size=size, device=name)
    try:
        call = opened.bind(kernel, inputs)
        result = call()
    except Unfit as error:
        return msgspec.structs.replace(blank, why=str(error)), None
    except Exception as error:  # whatever a device's library raises is why it does not count
        return msgspec.structs.replace(blank, why=f"{type(error).__name__}: {error}".splitlines()[0]), None
    gap = kernels.deviation(result, np.asarray(kernel.compute(np, *inputs)))
    allowed = kernel.single if opened.single else kernel.tolerance
    if not gap <= allowed:
        why = f"its result deviates from numpy's by {gap:.1e}, more than {allowed:.0e}"
        return msgspec.structs.replace(blank, error=gap if np.isfinite(gap) else None, why=why), None
    return msgspec.structs.replace(blank, error=gap), call


def measure(name: str, opened: Opened, kernel: Kernel, size: int, budget_s: float) -> Timing:
    """The median of repeats, after two calls that do not count."""
    cell, call = judge(name, opened, kernel, size)
    if call is None:
        return cell
    once = _seconds(call, 1)
    calls = max(1, round(_SLICE_S / max(once, 1e-9)))
    end = time.perf_counter() + budget_s
    found: list[float] = []
    while len(found) < _LEAST or (time.perf_counter() < end and len(found) < _MOST):
        found.append(_seconds(call, calls) / calls)
    return msgspec.structs.replace(cell, median_s=median(found), repeats=len(found))


def _seconds(call: Call, times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(sys.argv[1])
