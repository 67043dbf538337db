"""Measured routing: every kernel on every device present, in processes of their own, made into the table engines read.

All devices prepare at the same time (compiling is most of a first profile); then one after another is timed, while the
others wait.
"""

import datetime
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import msgspec

from engines.wire import machine, routing
from engines.wire.errors import NautilusError
from engines.wire.routing import Device, Profile, Timing
from stress.profiler import devices, kernels
from stress.profiler.bench import Answer, Plan
from stress.profiler.devices import Way
from stress.profiler.kernels import Kernel

QUICK_S, FULL_S = 0.1, 0.6  # of each cell
QUICK_LIMIT_S, FULL_LIMIT_S = 26.0, 600.0  # of the whole
_PREPARING = 0.6  # share of that after which a device that still compiles is left out


class ProfileError(NautilusError):
    """The machine cannot be profiled, or the profile cannot be kept."""


class Progress(msgspec.Struct, frozen=True):
    """How far it is: `done` of `total` steps."""

    text: str
    done: int
    total: int


class Child:
    """One device's process."""

    def __init__(self, way: Way, plan: Plan) -> None:
        self.way = way
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self.lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        root = Path(__file__).resolve().parents[2]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stress.profiler.bench", way.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, cwd=root,
            env=devices.environment(way, os.environ),
        )  # fmt: skip
        threading.Thread(target=self._read, name=f"bench-{way.name}", daemon=True).start()
        self._write(msgspec.json.encode(plan))

    def go(self) -> None:
        """Let it time."""
        self._write(b"go")

    def next(self, until: float) -> Answer | None:
        """Its next answer; None at its end.  Raises TimeoutError at `until`, on the monotonic clock."""
        try:
            line = self.lines.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            raise TimeoutError from None
        return msgspec.json.decode(line, type=Answer) if line else None

    def end(self) -> str:
        """Make sure that it has ended; the last thing it said of why."""
        if self.process.poll() is None:
            try:
                self.process.wait(1.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
        code = self.process.wait()
        if self.process.stdin is not None and not self.process.stdin.closed:
            _close(self.process.stdin)
        with self.errors:
            self.errors.seek(0)
            words = self.errors.read().decode(errors="replace").strip().splitlines()
        return f"its process ended with {code}{': ' + words[-1] if words else ''}"

    def kill(self) -> None:
        """End it now."""
        self.process.kill()
        self.end()

    def _read(self) -> None:
        with self.process.stdout as stream:  # type: ignore[union-attr] # it is a pipe
            for line in stream:
                self.lines.put(line)
        self.lines.put(b"")

    def _write(self, data: bytes) -> None:
        stream = self.process.stdin
        try:
            if stream is not None:
                stream.write(data + b"\n")
                stream.flush()
        except BrokenPipeError:
            return  # it is gone: the end of its answers says so


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        return  # what it had not read went with it


class Bench:
    """Devices, prepared together and timed one by one."""

    def __init__(self, plan: Plan, ways: Sequence[Way], limit_s: float, hear: Callable[[Progress], None]) -> None:
        self.cells = [(kernel, size) for kernel, sizes in plan.sizes.items() for size in sizes]
        self._plan = plan
        self._ways = ways
        self._until = time.monotonic() + limit_s
        self._ready_until = time.monotonic() + limit_s * _PREPARING
        self._limit_s = limit_s
        self._hear = hear
        self._done = 0
        self._total = len(ways) * (len(plan.sizes) + len(self.cells))
        self.absent: dict[str, str] = {}
        self.packages: set[str] = set()
        self.timings: list[Timing] = []

    def run(self) -> None:
        """Fill `timings`, `absent` and `packages`; whatever happens, no process is left."""
        children = [Child(way, self._plan) for way in self._ways]
        try:
            ready = [child for child in children if self._prepare(child)]
            for child in ready:
                self._time(child)
        finally:
            for child in children:
                if child.process.returncode is None:
                    child.kill()

    def _prepare(self, child: Child) -> bool:
        steps = 0
        name = child.way.name
        try:
            while (answer := child.next(self._ready_until)) is not None:
                if answer.absent:
                    self.absent[name] = answer.absent
                    child.end()
                    break
                if answer.ready:
                    self.packages |= {answer.package, "numpy"}
                    return True
                steps += 1
                self._step(f"preparing: {name}", 1)
            else:
                self.absent[name] = child.end()
        except TimeoutError:
            limit = self._limit_s * _PREPARING
            self.absent[name] = f"still compiling after {limit:.0f} s; what is compiled is kept for the next time"
            child.kill()
        self._step(f"preparing: {name}", len(self._plan.sizes) - steps + len(self.cells))
        return False

    def _time(self, child: Child) -> None:
        child.go()
        left = list(self.cells)
        why = ""
        try:
            while left and (answer := child.next(self._until)) is not None:
                if answer.timing is not None:
                    self.timings.append(answer.timing)
                    left.remove((answer.timing.kernel, answer.timing.size))
                    self._step(f"timing: {child.way.name}, {answer.timing.kernel}", 1)
            why = child.end() if left else ""
        except TimeoutError:
            why = f"not timed: {self._limit_s:.0f} s were over"
        if not why:
            child.end()
        else:
            child.kill()
        self.timings += [Timing(kernel=kernel, size=size, device=child.way.name, why=why) for kernel, size in left]
        self._step(f"timing: {child.way.name}", len(left))

    def _step(self, text: str, steps: int) -> None:
        self._done += steps
        self._hear(Progress(text, self._done, self._total))


def profile(
    *,
    quick: bool,
    hear: Callable[[Progress], None] = lambda _: None,
    chosen: Sequence[Kernel] = kernels.KERNELS,
    ways: Sequence[Way] = devices.WAYS,
) -> Profile:
    """Measure this machine.

    Raises:
        ProfileError: not even numpy could be timed.
    """
    plan = Plan({k.name: list(k.quick if quick else k.full) for k in chosen}, QUICK_S if quick else FULL_S)
    load = os.getloadavg()[0]
    bench = Bench(plan, ways, QUICK_LIMIT_S if quick else FULL_LIMIT_S, hear)
    bench.run()
    base = [each for each in bench.timings if each.device == routing.BASELINE]
    if all(each.median_s is None for each in base):
        why = bench.absent.get(routing.BASELINE) or (base[0].why if base else "it was not asked")
        raise ProfileError("The kernels cannot be timed.", f"numpy: {why}.", "nautilus doctor")
    facts = machine.facts()
    return Profile(
        at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        quick=quick,
        load=round(load, 2),
        fingerprint=machine.fingerprint(facts),
        host=facts,
        versions={name: routing.installed(name) or "" for name in sorted(bench.packages)},
        devices=tuple(Device(way.name, way.title, bench.absent.get(way.name, "")) for way in ways),
        timings=tuple(bench.timings),
        crossovers=tuple(
            row for name in plan.sizes for row in routing.crossovers(name, routing.curves(bench.timings, name))
        ),
    )


def save(found: Profile, folder: Path) -> Path:
    """Keep the profile where engines look for it, at once or not at all.

    Raises:
        ProfileError: the folder cannot be written.
    """
    path = folder / routing.FILE
    draft = path.with_suffix(".tmp")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
        draft.replace(path)
    except OSError as error:
        raise ProfileError(
            f"{path} cannot be written.", str(error), "Set NAUTILUS_HOME to a folder of yours."
        ) from error
    return path
