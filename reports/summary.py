"""From the three records of a run to its figures: the one place where a reported number comes from."""

from dataclasses import dataclass
from pathlib import Path

from reports import history as histories
from reports.figures import Figures
from reports.history import History
from reports.latency import Logs, read_logs
from reports.measures import (
    backtests,
    bus,
    busbench,
    drills,
    faults,
    fleet,
    hardware,
    host,
    invariants,
    load,
    operations,
    requests,
    shedding,
    soak,
    sources,
    speed,
    tape,
    testimony,
    thresholds,
)
from reports.samples import Samples, read_samples


@dataclass(frozen=True)
class RunData:
    """What a run folder holds, read."""

    folder: Path
    history: History
    logs: Logs
    samples: Samples | None

    @property
    def name(self) -> str:
        """The folder's name, which is the run's."""
        return self.folder.name


def read(folder: Path) -> RunData:
    """Read a run folder as far as it goes. Raises ReportError when it holds no history."""
    return RunData(folder, histories.read(folder), read_logs(folder), read_samples(folder))


def summarise(data: RunData) -> Figures:
    """All figures of a run, in a fixed order."""
    history = data.history
    return Figures.of(
        [
            *fleet.measure(history),
            *load.measure(history, data.logs),
            *requests.measure(history, data.logs),
            *shedding.measure(history),
            *bus.measure(history, data.logs),
            *operations.measure(history),
            *tape.measure(history),
            *invariants.measure(history),
            *faults.measure(history),
            *sources.measure(history),
            *speed.measure(history, data.logs),
            *backtests.measure(history),
            *thresholds.measure(history),
            *drills.measure(history),
            *testimony.measure(history, data.logs),
            *hardware.measure(history),
            *busbench.measure(history, data.logs),
            *soak.measure(history, data.logs),
            *host.measure(data.samples),
        ]
    )
