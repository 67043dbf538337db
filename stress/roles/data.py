"""The external sources of data, each asked for a few rows; or simulators of their protocols, which prove connectors."""

import asyncio
import os

from engines.data.sources import registry
from engines.data.sources.source import SourceState
from reports import records
from stress.history.stamp import stamp
from stress.run import Run
from stress.specs.data import Data


async def carry_out(run: Run, spec: Data) -> None:
    """Ask all at once; what does not answer in time is unreachable."""
    run.phase(spec.title, "start", measured=False)
    run.say(spec.title, f"asking {len(registry.NAMES)} sources")
    for state in await asyncio.to_thread(_asked, spec):
        run.add(record(spec.title, state, simulated=spec.simulate))
    run.phase(spec.title, "end", measured=False)


def _asked(spec: Data) -> tuple[SourceState, ...]:
    if not spec.simulate:
        return registry.probe_all(registry.published(os.environ), spec.timeout_s, os.environ)
    from engines.data.simulators import suite

    with suite.running() as simulators:
        return registry.probe_all(simulators.endpoints, spec.timeout_s, simulators.env)


def record(phase: str, state: SourceState, *, simulated: bool) -> records.Source:
    """One source's answer as a record."""
    seen = state.evidence
    return records.Source(
        **stamp(),
        phase=phase,
        name=state.source,
        title=state.title,
        simulated=simulated,
        status=state.status.value,
        round_trip_ms=seen.round_trip_ms,
        rows=seen.rows,
        newest=seen.newest,
        detail=seen.detail,
    )
