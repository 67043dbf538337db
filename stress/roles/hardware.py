"""The machine: its kernels timed before the fleet starts, its inventory, and which device each engine computes with."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

import stress
from engines.wire import covariance
from engines.wire.errors import NautilusError
from engines.wire.routing import Profile
from reports import records
from stress.history.stamp import stamp
from stress.profiler import devices, kernels, routing, words
from stress.profiler.facts import NotAvailable
from stress.profiler.hardware import Hardware as Found
from stress.profiler.inventory import Inventory, inventory
from stress.run import Run
from stress.specs.hardware import Hardware

_POLL_S, _RENEWED_S = 0.1, 10.0


class Question(NamedTuple):
    """What makes an engine compute a kernel of a size."""

    engine: str
    path: str
    kernel: str
    size: int


QUESTIONS = (Question("portfolio", "/efficient?symbols=AAPL,IBM,MSFT", covariance.KERNEL, 3),)
"""One for every engine that chooses its device by the profile."""


async def prepare(run: Run, spec: Hardware) -> None:
    """Before the boot, on a quiet machine: measure, record, and leave the profile where this run's fleet looks for it.

    A fleet of the user's own keeps the profile that it has read.  Raises NautilusError: the machine cannot be timed.
    """
    run.say(spec.title, "timing kernels on every device")
    found = await measured(brief=spec.brief)
    for record in found_records(found):
        run.add(record)
    if not run.fleet.attached:
        await asyncio.to_thread(routing.save, found, run.fleet.home)


async def carry_out(run: Run, spec: Hardware) -> None:
    """Have each engine that chooses its device compute once, and record what its health says of it."""
    run.phase(spec.title, "start", measured=False)
    for asked in QUESTIONS:
        run.say(spec.title, f"{asked.engine}: {asked.kernel}")
        await asyncio.to_thread(run.fleet.get, asked.engine, asked.path)
        health = await _renewed(run, asked.engine)
        run.add(used(spec.title, asked, health["acceleration"]))
    run.phase(spec.title, "end", measured=False)


async def _renewed(run: Run, engine: str) -> dict[str, Any]:
    """Its health, composed after this was asked: engines do so once a second."""
    first = await asyncio.to_thread(run.fleet.get, engine, "/health")
    until = time.monotonic() + _RENEWED_S
    while time.monotonic() < until:
        found: dict[str, Any] = await asyncio.to_thread(run.fleet.get, engine, "/health")
        if found["uptime_s"] != first["uptime_s"]:
            return found
        await asyncio.sleep(_POLL_S)
    raise NautilusError(f"{engine} does not renew its health.", "", f"Read logs/{engine}.log in the run folder.")


def used(phase: str, asked: Question, said: dict[str, Any]) -> records.Accelerated:
    """What an engine says of its last computation; the question's size counts only where its kernel is the one."""
    return records.Accelerated(
        **stamp(),
        phase=phase,
        engine=asked.engine,
        kernel=said["kernel"],
        size=asked.size if said["kernel"] == asked.kernel else 0,
        device=said["device"],
        speedup=said["speedup_measured"],
    )


async def measured(*, brief: bool) -> Found:
    """Measure in a process of its own, and read the inventory beside it.  Raises NautilusError."""
    told = await printed([sys.executable, "-m", "stress.profiler", *(["--quick"] if brief else [])])
    profile = msgspec.json.decode(told, type=Profile)
    what = await asyncio.to_thread(inventory)
    return Found(inventory=what, **msgspec.structs.asdict(profile))


async def printed(command: Sequence[str]) -> bytes:
    """What a profiler's process prints; it ends with whoever waits for it, and so do its own.  Raises NautilusError."""
    root, pipe = Path(stress.__file__).parents[1], asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, cwd=root, start_new_session=True)
    try:
        told, said = await child.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
        raise
    if child.returncode:
        why = said.decode("utf-8", "replace").strip()[-500:]
        raise NautilusError("This machine could not be profiled.", why, "nautilus profile --quick")
    return told


def found_records(found: Found) -> Iterator[records.AnyRecord]:
    """A profile as records."""
    yield _inventory(found.inventory)
    kinds = {way.name: way.kind for way in devices.WAYS}
    for device in found.devices:
        yield records.Device(**stamp(), name=device.name, title=device.title, kind=kinds[device.name], why=device.why)
    units = {kernel.name: kernel.unit for kernel in kernels.KERNELS}
    for each in found.timings:
        yield records.KernelTiming(
            **stamp(),
            kernel=each.kernel,
            unit=units[each.kernel],
            size=each.size,
            device=each.device,
            median_s=each.median_s,
            repeats=each.repeats,
            error=each.error,
            why=each.why,
        )
    for row in found.crossovers:
        yield records.Route(
            **stamp(),
            kernel=row.kernel,
            from_size=row.from_size,
            device=row.device,
            speedup=row.speedup,
            measured_at=row.measured_at,
        )


def _inventory(found: Inventory) -> records.Inventory:
    facts = [
        records.Fact(name=name, why=fact.why) if isinstance(fact, NotAvailable) else records.Fact(name=name, value=fact)
        for name, fact in words.facts(found)
    ]
    return records.Inventory(
        **stamp(),
        cores=_number(found.topology.cores),
        threads=_number(found.topology.threads),
        usable_cores=found.usable_cores,
        memory_bytes=_number(found.memory_bytes),
        gpus=0 if isinstance(found.gpus, NotAvailable) else len(found.gpus),
        neural_engine=not isinstance(found.neural_engine, NotAvailable),
        facts=facts,
    )


def _number(fact: int | NotAvailable) -> int | None:
    return None if isinstance(fact, NotAvailable) else fact
