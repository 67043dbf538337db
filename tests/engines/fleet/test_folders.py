"""Where a fleet keeps its things."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.fleet import folders
from engines.wire.errors import NautilusError, UsageError


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "A", "a" * 65, "a b"])
def test_names_that_cannot_be_folders(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        folders.of(name, tmp_path)


def test_everything_is_private(tmp_path: Path) -> None:
    where = folders.of("f", tmp_path)
    folders.make(where)
    folders.make(where)
    for path in (where.state, where.logs, where.bus, where.store, where.runtime, where.runtime.parent):
        assert path.stat().st_mode & 0o777 == 0o700
    where.runtime.rmdir()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's, which pytest's own may not."""
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        yield Path(folder)


def test_sockets_fit_whatever_the_state_folder(tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 200) / ("y" * 200)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    assert len(os.fsencode(folders.of("f", deep).control)) <= folders.SOCKET_PATH_MAX
    assert folders.of("f", deep).runtime.is_relative_to(short)
    long = tmp_path / ("z" * 100)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    assert len(os.fsencode(folders.of("f", deep).control)) <= folders.SOCKET_PATH_MAX
    assert folders.of("f", deep).runtime != folders.of("g", deep).runtime


def test_a_runtime_folder_that_others_may_enter_is_refused(
    tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    (short / "nautilus").mkdir(mode=0o755)
    (short / "nautilus").chmod(0o755)
    with pytest.raises(NautilusError, match="not private"):
        folders.make(folders.of("f", tmp_path / "home"))


def test_a_state_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NautilusError, match="cannot be used") as caught:
        folders.make(folders.of("f", tmp_path / "file"))
    assert "NAUTILUS_HOME" in caught.value.next_step
