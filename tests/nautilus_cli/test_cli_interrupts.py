import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nautilus_cli.exits import of_signal
from nautilus_cli.interrupts import speaking

ROOT = Path(__file__).resolve().parents[2]
WAITING = """
import sys
from nautilus_cli.interrupts import tidily
with tidily():
    try:
        print("up", flush=True)
        sys.stdin.readline()
    finally:
        print("tidy", flush=True)
print("after", flush=True)
sys.stdin.readline()
"""


def test_it_speaks_then_interrupts() -> None:
    said: list[str] = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), speaking(lambda: said.append("stopping")):
        signal.raise_signal(signal.SIGINT)
    assert said == ["stopping"] and signal.getsignal(signal.SIGINT) is before


def test_deaf_from_the_start_it_stays_deaf() -> None:
    said: list[str] = []
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with speaking(lambda: said.append("stopping")):
            signal.raise_signal(signal.SIGINT)
        assert said == [] and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_was_begun_is_ended_and_afterwards_a_signal_kills(number: signal.Signals) -> None:
    for last, code in (("tidy", of_signal(number)), ("after", -number)):
        with subprocess.Popen(
            [sys.executable, "-c", WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
        ) as child:
            assert child.stdin is not None and child.stdout is not None and child.stdout.readline() == "up\n"
            if last == "after":
                child.stdin.write("\n")
                child.stdin.flush()
                assert [child.stdout.readline() for _ in range(2)] == ["tidy\n", "after\n"]
            child.send_signal(number)
            assert child.wait(20) == code
            assert child.stdout.read() == ("tidy\n" if last == "tidy" else "")


def test_nohup_is_respected() -> None:
    command = ["nohup", sys.executable, "-c", WAITING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
                          text=True) as child:  # fmt: skip
        assert child.stdout is not None and child.stdout.readline() == "up\n"
        os.kill(child.pid, signal.SIGHUP)
        time.sleep(0.05)
        assert child.communicate("\n\n")[0] == "tidy\nafter\n" and child.returncode == 0


def test_ctrl_c_while_it_is_still_being_imported() -> None:
    """No traceback, as at any later time."""
    text = (
        "import signal, sys; sys.argv[0] = 'nautilus'\n"
        "import nautilus_cli.streams as streams\n"
        "streams.install = lambda: signal.raise_signal(signal.SIGINT)\n"
        "from nautilus_cli.__main__ import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "")
