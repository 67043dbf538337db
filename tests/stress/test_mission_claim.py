"""One mission per fleet, and one run folder per mission."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from engines.fleet.process import Identity
from stress.claim import LOCK, FleetTaken, Holder, claimed, run_folder

HOLDER = Holder(Identity(4711, 1), "/runs/first", "2026-01-01T00:00:00+00:00")


def test_a_second_mission_is_told_who_has_the_fleet_and_what_to_type(tmp_path: Path) -> None:
    with claimed(tmp_path, HOLDER), pytest.raises(FleetTaken) as caught, claimed(tmp_path, HOLDER):
        pass
    words = str(caught.value)
    assert all(word in words for word in ("4711", "/runs/first", "2026-01-01", "nautilus stress stop /runs/first"))
    with claimed(tmp_path, HOLDER):  # let go again
        pass


def test_the_claim_of_a_killed_mission_ends_with_it(tmp_path: Path) -> None:
    text = f"""
import time
from pathlib import Path
from engines.fleet.process import Identity
from stress.claim import Holder, claimed
with claimed(Path({str(tmp_path)!r}), Holder(Identity(1, 1), "r", "now")):
    print("mine", flush=True)
    time.sleep(60)
"""
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, cwd=root) as other:
        assert other.stdout is not None and other.stdout.readline() == b"mine\n"
        with pytest.raises(FleetTaken), claimed(tmp_path, HOLDER):
            pass
        other.kill()
        other.wait()
    with claimed(tmp_path, HOLDER):
        assert b"4711" in (tmp_path / LOCK).read_bytes()


def test_two_missions_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        names = [stack.enter_context(run_folder(tmp_path, "20260101_000000_health")).name for _ in range(3)]
    assert names == ["20260101_000000_health", "20260101_000000_health-2", "20260101_000000_health-3"]
    assert list(tmp_path.iterdir()) == []  # nothing was put into them
    with run_folder(tmp_path, "kept") as folder:
        (folder / "record").write_text("")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
