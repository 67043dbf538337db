"""Places that a fleet cannot live in, and one that it must."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from toyfleet import ToyFleet

from engines.fleet import api, folders, process
from engines.wire.errors import NotRunning

UP = (sys.executable, "-m", "nautilus_cli", "up", "websocket", "--fleet", "trouble")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[tuple[list[str], Path]]:
    """What makes a folder read-only for a command that follows, and the folder: a mount of its own, or a mode."""
    home = tmp_path / "home"
    home.mkdir()
    yield _locking(home), home
    home.chmod(0o700)
    with contextlib.suppress(NotRunning):  # it should not have started
        api.down("trouble", True, home=home)


def _locking(home: Path) -> list[str]:
    if os.getuid() != 0:
        home.chmod(0o500)
        return []
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed, and nothing is read-only for root")
    mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", mount, "sh", str(home)]
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"a mount of its own is not permitted: {tried.stderr.strip()}")
    return prefix


@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_a_read_only_state_folder_is_named(read_only: tuple[list[str], Path], existing: bool) -> None:
    prefix, home = read_only
    if existing:
        home.chmod(0o700)
        folders.make(folders.of("trouble", home))
        (home / "trouble").chmod(0o500 if not prefix else 0o700)
    command = [*prefix, *UP, "--port-offset", "3800"]
    done = subprocess.run(
        command, env={**os.environ, "NAUTILUS_HOME": str(home)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert str(home / "trouble") in done.stderr and "NAUTILUS_HOME" in done.stderr
    assert process.members(home / "trouble") == []


def test_a_state_folder_too_deep_for_a_socket_is_none_to_a_fleet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    fleet = ToyFleet(tmp_path / ("deep" * 30) / ("deeper" * 20), "spawn", {"lone": {}})
    try:
        assert len(os.fsencode(fleet.state)) > 2 * folders.SOCKET_PATH_MAX
        now = fleet.up()
        assert now.healthy and [bus.state for bus in now.buses] == ["ready", "ready"]
        api.restart("toy", "lone", home=fleet.home)
        api.down("toy", home=fleet.home)
    finally:
        fleet.close()
