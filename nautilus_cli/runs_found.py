"""Which run a command line means."""

from pathlib import Path

from engines.wire.errors import UnknownName
from reports import runs
from reports.errors import ReportError
from reports.records import HISTORY

RUNS = Path("runs")


def find(run: str | None, root: Path) -> Path:
    """The folder of a run.

    Raises:
        UnknownName: there is no such run, with the nearest one.
        ReportError: there is no run at all.
    """
    if run is not None and ((Path(run) / HISTORY).is_file() or Path(run).is_dir()):
        return Path(run).absolute()
    found = runs.list_runs(root)
    if run is None:
        if not found:
            raise ReportError(f"There is no run in {root.absolute()}.", "", "nautilus stress flash-crash")
        return found[-1].folder.absolute()
    for info in found:
        if run in (info.run_id, info.folder.name):
            return info.folder.absolute()
    raise UnknownName("run", run, (info.run_id for info in found))
