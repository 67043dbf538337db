"""The command line as its users have it: whole processes, a real fleet."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.fleet import ports
from engines.wire import manifest

Done = subprocess.CompletedProcess[str]
Type = Callable[..., Done]


@pytest.fixture
def nautilus(tmp_path: Path) -> Iterator[Type]:
    """Type a command line for a fleet of this test; whatever it started is ended."""
    env = {**os.environ, "NAUTILUS_HOME": str(tmp_path / "home"), "NAUTILUS_FLEET": "cli-test"}

    def run(*words: str) -> Done:
        command = [sys.executable, "-m", "nautilus_cli", *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)

    yield run
    run("down", "--now")


@pytest.fixture
def offset(tmp_path: Path) -> int:
    """A port offset at which every engine's port is free."""
    wanted = [each.port for each in manifest.discover()]
    for offset in range(23_000, 50_000, 500):
        if all(ports.free("127.0.0.1", port + offset) for port in wanted):
            return offset
    raise AssertionError("no offset is free")


def test_a_fleets_life(nautilus: Type, offset: int) -> None:
    nothing = nautilus("health")
    assert nothing.returncode == 3 and "nautilus up" in nothing.stderr and nothing.stdout == ""

    up = nautilus("up", "marketdata", "--port-offset", str(offset), "--json")
    assert up.returncode == 0, up.stderr
    assert json.loads(up.stdout)["already"] is False

    health = nautilus("health", "--json")
    assert health.returncode == 0, health.stdout
    document = json.loads(health.stdout)
    assert document["summary"]["healthy"] == document["summary"]["total"] >= 1
    (marketdata,) = [each for each in document["engines"] if each["name"] == "marketdata"]
    assert marketdata["port"] == 8800 + offset and marketdata["response_ms"] > 0 and marketdata["features"]

    status = json.loads(nautilus("status", "--json").stdout)
    (engine,) = [each for each in status["engines"] if each["name"] == "marketdata"]
    assert (engine["state"], engine["pid"]) == ("ready", marketdata["pid"])

    again = nautilus("up", "marketdata", "--port-offset", str(offset))
    assert again.returncode == 0 and "already up" in again.stderr
    assert f" {marketdata['pid']}" in again.stdout, "the same process"

    restarted = nautilus("restart", "marketdata", "--json")
    assert restarted.returncode == 0, restarted.stderr
    (engine,) = [each for each in json.loads(restarted.stdout)["engines"] if each["name"] == "marketdata"]
    assert engine["pid"] != marketdata["pid"]

    assert nautilus("logs", "marketdata", "-n", "5").stdout.count("\n") == 5
    down = nautilus("down")
    assert down.returncode == 0 and "is down" in down.stderr
    assert nautilus("health").returncode == 3
    assert nautilus("down").returncode == 0


def test_a_port_in_use_names_its_holder(nautilus: Type, offset: int) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 8800 + offset)):
        up = nautilus("up", "marketdata", "--port-offset", str(offset))
    assert up.returncode == 1 and f"held by pid {os.getpid()}" in up.stderr and "--port-offset" in up.stderr


def test_an_unknown_engine(nautilus: Type) -> None:
    up = nautilus("up", "marketdta")
    assert up.returncode == 2 and "Did you mean 'marketdata'?" in up.stderr
