"""The operator's commands as whole processes, over a real fleet of two engines."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.fleet import ports
from engines.wire import manifest

Done = subprocess.CompletedProcess[str]
Type = Callable[..., Done]


class Shell:
    """Types command lines for one fleet."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {**os.environ, "NAUTILUS_HOME": str(home), "NAUTILUS_FLEET": "operator-test"}

    def __call__(self, *words: str) -> Done:
        command = [sys.executable, "-m", "nautilus_cli", *words]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=100, check=False)

    @contextlib.contextmanager
    def started(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """A command that goes on; it is ended if the test did not end it."""
        command = [sys.executable, "-m", "nautilus_cli", *words]
        with subprocess.Popen(
            command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running:
            try:
                yield running
            finally:
                running.kill()

    def pid(self, engine: str) -> int:
        found = json.loads(self("status", "--json").stdout)["engines"]
        return int(next(each["pid"] for each in found if each["name"] == engine))


@pytest.fixture(scope="module")
def nautilus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A fleet of `risk` and what it starts after, for all tests of this file."""
    shell = Shell(tmp_path_factory.mktemp("operator") / "home")
    wanted = [each.port for each in manifest.discover()]
    offset = next(n for n in range(3600, 50_000, 500) if all(ports.free("127.0.0.1", port + n) for port in wanted))
    up = shell("up", "risk", "--explain", "--port-offset", str(offset))
    try:
        assert up.returncode == 0, up.stderr
        assert up.stdout.startswith("The boot took ") and "it ended with " in up.stdout, up.stdout
        chain = up.stdout.partition("\n\n")[2].partition("\n\n")[0].splitlines()
        assert chain[0].split()[:1] == ["UNIT"] and chain[-1].split()[0] in ("risk", "marketdata")
        assert any(line.startswith(("bus-", "zygote")) for line in chain[1:]), (
            "a chain begins with what waits for nothing"
        )
        yield shell
    finally:
        shell("down", "--now")


def test_wait_and_why(nautilus: Shell) -> None:
    waited = nautilus("wait", "--for", "healthy", "--timeout", "30")
    assert waited.returncode == 0 and "All engines: healthy" in waited.stderr and waited.stdout == ""
    found = nautilus("why", "risk")
    assert found.returncode == 0 and found.stdout.startswith("risk is healthy.\n")
    idle = json.loads(nautilus("why", "vpin", "--json").stdout)
    assert (idle["kind"], idle["next"]) == ("not-asked", "nautilus up vpin")
    hopeless = nautilus("wait", "vpin", "--timeout", "30")
    assert hopeless.returncode == 1 and "vpin was not asked for" in hopeless.stderr
    late = nautilus("wait", "risk", "--for", "stopped", "--timeout", "0.2")
    assert late.returncode == 124 and "Not stopped within 0.2 s: risk" in late.stderr


def test_a_crash_is_named_after_it_was_mended(nautilus: Shell) -> None:
    os.kill(nautilus.pid("risk"), signal.SIGKILL)
    assert nautilus("wait", "risk", "--timeout", "30").returncode == 0
    found = nautilus("why", "risk").stdout
    assert "restarted once" in found and "killed by SIGKILL" in found


def test_logs_in_the_order_of_time(nautilus: Shell) -> None:
    lines = [json.loads(line) for line in nautilus("logs", "--since", "1h", "--jsonl").stdout.splitlines()]
    assert {"marketdata", "risk", "bus-main", "bus-market"} <= {line["name"] for line in lines}
    times = [line["at"] for line in lines if line["at"] is not None]
    assert times == sorted(times) and len(times) > 10
    some = nautilus("logs", "risk", "marketdata", "--grep", "Uvicorn running").stdout.splitlines()
    assert {line.split()[0] for line in some} == {"risk", "marketdata"}
    assert nautilus("logs", "--since", "2999-01-01").stdout == ""


def line(running: "subprocess.Popen[str]") -> str:
    """The next line that it shows."""
    assert running.stdout is not None
    return running.stdout.readline()


def test_a_followed_log_shows_what_comes_and_ends_well(nautilus: Shell) -> None:
    with nautilus.started("logs", "risk", "-f", "-n", "1") as follower:
        assert line(follower) != ""
        assert nautilus("restart", "risk").returncode == 0
        assert any("Started server process" in line(follower) for _ in range(8)), "the new process writes the same log"
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 0 and "Traceback" not in follower.communicate()[0]


@pytest.mark.parametrize("command", ["status", "health"])
def test_a_watch_is_a_stream_that_ctrl_c_ends_with_0(nautilus: Shell, command: str) -> None:
    with nautilus.started(command, "--watch", "--interval", "0.1", "--jsonl") as watch:
        documents = [json.loads(line(watch)) for _ in range(3)]
        watch.send_signal(signal.SIGINT)
        assert watch.wait(10) == 0 and {one["schema"] for one in documents} == {f"nautilus.{command}/1"}


def test_the_version_of_both_sides(nautilus: Shell) -> None:
    shown = nautilus("--version")
    ours, theirs = shown.stdout.splitlines()
    assert (
        shown.returncode == 0 and theirs.startswith(f"supervisor {ours.split()[1]}, protocol ") and shown.stderr == ""
    )


def test_last_of_all_the_fleet_goes_down(nautilus: Shell) -> None:
    with nautilus.started("wait", "--for", "stopped", "--timeout", "60") as waiter:
        assert nautilus("down").returncode == 0
        assert waiter.wait(20) == 0
    found = nautilus("why", "risk")
    assert found.returncode == 0 and found.stdout.startswith("Fleet 'operator-test' is down.\n  Asked for by uid ")
    assert nautilus("status").returncode == 3
