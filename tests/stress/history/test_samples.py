"""Samples of real processes, stored as the reports read them, and kept after a kill."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import psutil

from reports.samples import COLUMNS, read_samples
from stress.history.samples import SPILL, Sampler, pss_bytes, store


def test_a_sample_holds_the_host_and_each_living_process(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    sampler = Sampler(tmp_path, lambda: {"me": os.getpid(), "gone": gone.pid}, pss_every=2)
    first, second = list(sampler.sample()), list(sampler.sample())
    assert [row.name for row in first] == ["host", "me"]
    host, me = first
    assert host.cpu_percent is None, "a share needs two readings"
    assert host.memory_used_bytes is not None
    assert me.rss_bytes is not None
    assert me.rss_bytes > 1_000_000
    assert me.threads is not None
    assert me.threads >= 1
    assert me.fds is not None
    assert second[1].cpu_percent is not None
    assert second[1].pss_bytes is None, "the proportional set size is read once in two samples"
    if sys.platform == "linux":
        assert me.pss_bytes is not None
        assert 0 < me.pss_bytes <= me.rss_bytes * 1.05


def test_samples_are_stored_and_folded(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path, lambda: {"me": os.getpid()}, period_s=0.02).start()
    spill = tmp_path / SPILL
    while not spill.exists() or spill.read_bytes().count(b"\n") < 6:
        os.sched_yield()
    path = sampler.close()
    assert path == tmp_path / "samples.parquet"
    assert not spill.exists()
    with duckdb.connect() as db:
        columns = db.read_parquet(str(path)).columns
    assert columns == list(COLUMNS)
    found = read_samples(tmp_path)
    assert found is not None
    assert [use.name for use in found.processes] == ["me"]
    assert found.processes[0].samples >= 3
    assert (found.processes[0].rss_max_bytes or 0) > 1_000_000
    assert found.host_memory_max_bytes is not None


def test_a_spill_torn_by_a_kill_is_stored_without_its_last_line(tmp_path: Path) -> None:
    whole = '{"mono_ns":1,"at_utc":"a","scope":"host","name":"host","cpu_percent":5.0}\n'
    (tmp_path / SPILL).write_text(whole + whole[:30])
    store(tmp_path)
    with duckdb.connect() as db:
        assert db.read_parquet(str(tmp_path / "samples.parquet")).select("name", "cpu_percent").fetchall() == [
            ("host", 5.0)
        ]


def test_the_proportional_set_size_of_a_process_that_is_gone_is_unknown() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    watched = psutil.Process(process.pid)
    process.communicate(b"\n")
    assert pss_bytes(watched) is None
