"""Samples of real processes, stored as the reports read them, and kept after a kill."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import psutil

from reports.samples import COLUMNS, MORE, read_samples
from stress.history.samples import SPILL, Look, Sampler, pss_bytes, store
from stress.profiler.sampler import Reading

LINUX = sys.platform == "linux"


def rows(look: Look, scope: str) -> list[Reading]:
    return [row for row in look.rows if row.scope == scope]


def await_that(said: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not said():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_look_holds_the_host_its_cores_and_each_living_process(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    now = [100.0]
    sampler = Sampler(tmp_path, lambda: {"me": os.getpid(), "gone": gone.pid}, clock=lambda: now[0])
    first = sampler.look()
    now[0] += 0.2
    second = sampler.look()
    assert [row.name for row in rows(first, "host")] == ["host"]
    assert len(rows(first, "core")) == psutil.cpu_count()
    assert rows(first, "host")[0].cpu_percent is None, "a share needs two readings"
    assert rows(first, "host")[0].memory_used_bytes is not None
    (me,), (again,) = rows(first, "process"), rows(second, "process")
    assert me.name == "me"
    assert (me.rss_bytes or 0) > 1_000_000
    assert (me.threads or 0) >= 1
    assert (me.fds or 0) >= 3
    assert again.cpu_percent is not None
    if LINUX:
        assert 0 < (me.pss_bytes or 0) <= (me.rss_bytes or 0) * 1.05


def test_costly_facts_are_taken_when_due_and_at_a_phases_edge(tmp_path: Path) -> None:
    now = [0.0]
    sampler = Sampler(tmp_path, lambda: {"me": os.getpid()}, clock=lambda: now[0])

    def taken(at: float) -> tuple[bool, bool]:
        now[0] = at
        (me,) = rows(sampler.look(), "process")
        return me.fds is not None, me.pss_bytes is not None

    assert taken(0.0) == (True, LINUX)
    assert taken(0.2) == (False, False)
    assert taken(1.0) == (True, False)
    sampler.edge()
    assert taken(1.2) == (True, LINUX)
    assert taken(30.0) == (True, False), "thirty seconds after the edge, not after the start"
    assert taken(31.2) == (True, LINUX)


def test_samples_are_stored_and_folded(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path, lambda: {"me": os.getpid()}, period_s=0.02).start()
    spill = tmp_path / SPILL
    await_that(lambda: spill.exists() and spill.read_bytes().count(b"\n") >= 6)
    path = sampler.close()
    assert path == tmp_path / "samples.parquet"
    assert not spill.exists()
    with duckdb.connect() as db:
        found = db.read_parquet(str(path))
        assert found.columns == [*COLUMNS, *MORE]
        assert [str(kind) for kind in found.types] == [*COLUMNS.values(), *MORE.values()]
        looks = db.execute("SELECT count(DISTINCT mono_ns), count(*) FILTER (scope = 'host') FROM found").fetchone()
    assert looks is not None
    assert looks[0] == looks[1] == sampler.overhead.looks
    folded = read_samples(tmp_path)
    assert folded is not None
    assert [use.name for use in folded.processes] == ["me", "sampler"]
    assert folded.processes[0].samples == sampler.overhead.looks
    assert (folded.processes[0].rss_max_bytes or 0) > 1_000_000
    assert folded.host_memory_max_bytes is not None
    assert 0 < sampler.overhead.cpu_s <= sampler.overhead.wall_s
    assert (folded.processes[1].cpu_mean_percent or 0) > 0, "it measures itself"
    assert folded.processes[1].rss_max_bytes is None


def test_an_edge_is_looked_at_at_once(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path, dict, period_s=3600.0).start()
    await_that(lambda: sampler.overhead.looks == 1)
    sampler.edge()
    await_that(lambda: sampler.overhead.looks == 2)
    sampler.close()
    assert sampler.overhead.looks == 3, "the end is an edge too"


def test_a_spill_torn_by_a_kill_is_stored_without_its_last_line(tmp_path: Path) -> None:
    host = '{"scope":"host","name":"host","cpu_percent":5.0}'
    line = f'{{"mono_ns":1,"at_utc":"a","rows":[{host},{{"scope":"process","name":"x","fds":3}}]}}\n'
    (tmp_path / SPILL).write_text(line + line[:70])
    store(tmp_path)
    with duckdb.connect() as db:
        kept = db.read_parquet(str(tmp_path / "samples.parquet")).select("mono_ns", "name", "cpu_percent", "fds")
        assert sorted(kept.fetchall()) == [(1, "host", 5.0, None), (1, "x", None, 3)]


def test_a_file_with_the_figures_columns_only_is_read_too(tmp_path: Path) -> None:
    """Runs of before the other columns."""
    names = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in COLUMNS.items())
    with duckdb.connect() as db:
        db.execute(f"CREATE TABLE old AS SELECT {names}")
        db.execute("UPDATE old SET mono_ns = 1, scope = 'process', name = 'risk', rss_bytes = 7, cpu_percent = 2.5")
        db.table("old").write_parquet(str(tmp_path / "samples.parquet"))
    found = read_samples(tmp_path)
    assert found is not None
    assert found.host_cpu_mean_percent is None
    assert (found.processes[0].rss_max_bytes, found.processes[0].cpu_mean_percent) == (7, 2.5)
    assert found.processes[0].fds_max is None


def test_the_proportional_set_size_of_a_process_that_is_gone_is_unknown() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    watched = psutil.Process(process.pid)
    process.communicate(b"\n")
    assert pss_bytes(watched) is None
