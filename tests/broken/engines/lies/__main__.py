"""Run it."""

import dataclasses
import os
from collections.abc import Sequence

import msgspec

from engines.analytics.model import Live
from engines.analytics.service import engine as shipped
from engines.kit.processor import Processor
from engines.kit.serve import serve
from engines.kit.vitals import Vitals
from engines.wire.bus import Entry
from engines.wire.health import Check, HealthReport
from engines.wire.state import EngineState


class Idle(Processor[Live]):
    """Reads, and does nothing with it."""

    async def process(self, entries: Sequence[Entry]) -> None:
        """Nothing."""


_honest = Vitals._compose


def _boast(self: Vitals[Live], state: EngineState, checks: tuple[Check, ...]) -> HealthReport:
    true = _honest(self, state, checks)
    counters = {**true.counters, "processed": 1_000_000}
    return msgspec.structs.replace(
        true, status="healthy", pid=os.getppid(), uptime_s=true.uptime_s + 86_400, counters=counters
    )


engine = dataclasses.replace(shipped, unit=Idle)


def main() -> None:
    """Serve until told to stop."""
    Vitals._compose = _boast  # type: ignore[method-assign, assignment] # that is the defect
    serve(engine)


if __name__ == "__main__":
    main()
