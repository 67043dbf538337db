"""What /proc says of a process, against psutil."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from engines.fleet import facts, process

pytestmark = pytest.mark.skipif(not process.LINUX, reason="reads /proc")


def test_facts_are_those_of_psutil() -> None:
    found = facts.facts(os.getpid(), 1.0)
    same = psutil.Process()
    assert found is not None and found.threads == same.num_threads() and found.cpu_s == 1.0
    assert found.rss_kb is not None and abs(found.rss_kb * 1024 - same.memory_info().rss) < 8 << 20
    assert found.files is not None and abs(found.files - same.num_fds()) <= 1
    assert found.state.startswith("R")
    assert facts.facts(2**22 - 3) is None


def test_proportional_memory_is_at_most_resident() -> None:
    own = facts.proportional_kb(os.getpid())
    assert own is not None and 1000 < own <= psutil.Process().memory_info().rss / 1024 + 8192
    assert abs(own * 1024 - psutil.Process().memory_full_info().pss) < 8 << 20
    assert facts.proportional_kb(2**22 - 3) is None


def test_a_process_without_a_core_is_starved_and_a_stopped_one_is_not() -> None:
    """Two busy processes pinned to one core wait for each other; a sleeping one waits for nobody."""
    core = min(os.sched_getaffinity(0))
    pin = f"import os; os.sched_setaffinity(0, [{core}])\n"
    busy = [subprocess.Popen([sys.executable, "-c", pin + "while True: pass"]) for _ in range(2)]
    idle = subprocess.Popen([sys.executable, "-c", pin + "import time; time.sleep(60)"])
    try:
        time.sleep(0.3)
        waits = [facts.Starvation(each.pid, 0) for each in (*busy, idle)]
        until = time.monotonic() + 10.0
        while waits[0].seconds() < 0.1:
            assert time.monotonic() < until, "it never waited for its core"
            time.sleep(0.02)
        assert waits[1].seconds() > 0.02
        assert waits[2].seconds() < 0.02
    finally:
        for each in (*busy, idle):
            each.kill()
            each.wait()
