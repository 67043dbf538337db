"""A run written by the real writer and sampler, rendered, sealed and verified."""

import os
from pathlib import Path

from reports import runs
from reports.verify import verify
from stress.history import History, Sampler, seal
from tests.reports.conftest import measured_files, small_history


def test_a_run_written_by_its_processes_verifies(tmp_path: Path) -> None:
    folder = tmp_path / "20260304_100000_flash-crash"
    sampler = Sampler(folder, lambda: {"runner": os.getpid()}, period_s=0.05).start()
    with History.open(folder) as history:
        for record in small_history():
            history.append(record)
    sampler.close()
    (folder / "latency").mkdir()
    for name, content in measured_files().items():
        if name.startswith("latency/"):
            (folder / name).write_bytes(content)
    assert verify(folder).status == "interrupted"
    runs.render(folder, with_plots=False)
    seal(folder)
    found = verify(folder)
    assert (found.status, found.mismatches) == ("ok", ())
    assert "| runner" in (folder / "REPORT.md").read_text()
