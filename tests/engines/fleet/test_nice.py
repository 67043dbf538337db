"""A nice fleet is nice in its sessions' autogroups as well."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os
from pathlib import Path
from engines.fleet import child
os.nice(7)
os.setsid()
before = Path("/proc/self/autogroup").read_text()
child.be_as_nice_as_asked()
print(before.split()[-1], Path("/proc/self/autogroup").read_text().split()[-1])
"""


SETTLED = """
import os, sys
from pathlib import Path
from engines.fleet import child
os.nice(3)
if os.fork() == 0:
    child.settle(Path(sys.argv[1]), keep=[], files=64, nice=5)
    print(os.getpriority(os.PRIO_PROCESS, 0), Path("/proc/self/autogroup").read_text().split()[-1], flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel has no autogroups")
def test_an_engine_may_be_nicer_than_its_fleet(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", SETTLED, str(tmp_path / "log")], check=True)
    assert (tmp_path / "log").read_text().split() == ["8", "8"]


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel has no autogroups")
def test_a_new_session_takes_the_nice_value_over() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "7"]
