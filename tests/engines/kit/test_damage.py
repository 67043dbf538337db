"""Damaged stores are told from those that are locked or cannot grow, and set aside; real DuckDB files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines.kit import damage
from engines.kit.store import Batch, Position, Row, Store, StoreDamaged, StoreError
from engines.wire.errors import Fenced

EMPTY = Position({}, b"")


def row(number: int, size: int = 10) -> Row:
    return Row("signals", f"{number}-1", "s", 1, number, "", 1, "r1", 1, 1, 1, "Signal", os.urandom(size), "{}")


def filled(folder: Path) -> Path:
    """A store with a checkpointed file and a log beside it, as a killed writer leaves them."""
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom engines.kit.store import *\nfrom tests.engines.kit.test_damage "
        "import row, EMPTY\n"
        "store = Store(Path(sys.argv[1])); store.open(); store.claim(1)\n"
        "store.write(1, Batch([row(n) for n in range(500)], [], []), EMPTY, 1)\n"
        "store._connection.execute('CHECKPOINT')\n"
        "store.write(1, Batch([row(n) for n in range(500, 510)], [], []), EMPTY, 1)\n"
        "os._exit(0)\n"
    )
    file = folder / "nautilus.duckdb"
    subprocess.run([sys.executable, "-c", program, str(file)], check=True, cwd=Path(__file__).parents[3])
    assert file.exists() and file.with_name(file.name + ".wal").exists()
    return file


@pytest.mark.parametrize(
    ("name", "start", "count"),
    [("", 0, 12_288), ("", 4_096, 8_192), ("", 8, 4), (".wal", 20, 100), ("", 0, -1)],
    ids=["headers", "database-headers", "magic", "log", "cut"],
)
def test_damage_is_told_and_a_new_store_begins_beside_it(tmp_path: Path, name: str, start: int, count: int) -> None:
    file = filled(tmp_path)
    with file.with_name(file.name + name).open("r+b") as opened:
        if count < 0:
            opened.truncate(100_000)
        else:
            opened.seek(start)
            found = opened.read(count)
            opened.seek(start)
            opened.write(bytes(255 - byte for byte in found))
    store = Store(file)
    with pytest.raises(StoreDamaged):
        store.open()
        store.claim(2)
    assert store.set_aside().name == "nautilus.duckdb.damaged-1"
    store.open()
    assert store.claim(2) == EMPTY and store.counts() == []
    store.write(2, Batch([row(1)], [], []), EMPTY, 1)
    store.close()
    assert damage.aside(file) == ["nautilus.duckdb.damaged-1"]
    assert file.with_name("nautilus.duckdb.damaged-1.wal").exists()
    assert store.set_aside().name == "nautilus.duckdb.damaged-2"  # nothing is ever written over


def test_a_locked_store_is_not_damaged(tmp_path: Path) -> None:
    file = filled(tmp_path)
    program = "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program, str(file)], stdin=-1, stdout=-1) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        holder.stdout.readline()
        with pytest.raises(StoreError, match="lock") as caught:
            Store(file).open()
        assert not isinstance(caught.value, StoreDamaged)
        holder.stdin.close()
    store = Store(file)
    store.open()
    assert sum(count.rows for count in store.counts()) == 510
    store.close()


def test_what_a_drill_forbids_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    store = Store(tmp_path / "nautilus.duckdb")
    store.open()
    store.claim(1)

    def full() -> None:
        raise OSError(28, "No space left on device")

    store.before_write = full
    for attempt in (
        lambda: store.write(1, Batch([row(1)], [], []), EMPTY, 1),
        lambda: store.claim(2),
        lambda: store.export(tmp_path, "r1"),
    ):
        with pytest.raises(StoreError, match="No space left") as caught:
            attempt()
        assert not isinstance(caught.value, StoreDamaged)
    store.before_write = lambda: None
    assert store.counts() == []
    store.write(1, Batch([row(1)], [], []), EMPTY, 1)
    with pytest.raises(Fenced):
        store.write(2, Batch([row(1)], [], []), EMPTY, 1)
    store.close()


def test_a_file_system_that_is_really_full_is_not_damage_and_what_was_written_stays(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted by this user")
    try:
        store = Store(small / "nautilus.duckdb")
        store.open()
        store.claim(1)
        written = 0
        with pytest.raises(StoreError) as caught:
            for number in range(40):
                rows = [row(number * 10 + n, 40_000) for n in range(10)]
                store.write(1, Batch(rows, [], []), Position({"positions": f"{written + 10}-0"}, b""), 1)
                written += 10
        assert not isinstance(caught.value, StoreDamaged), caught.value
        assert 0 < written < 400
        store.close()
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        store.open()
        kept = sum(count.rows for count in store.counts())
        assert kept in (written, written + 10)  # a commit stands although the checkpoint behind it found no room
        assert store.claim(2).cursors == {"positions": f"{kept}-0"}  # and whoever claims is told
        store.write(2, Batch([row(999)], [], []), EMPTY, 1)
        store.close()
    finally:
        subprocess.run(["umount", str(small)], check=True)
