"""Fixtures of the load generator's tests: a server that misbehaves, and both generators behind one function."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_server import FaultyServer
from load_rig import RunPlan, runs


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        yield running


@pytest.fixture(params=["epoll", "asyncio"])
def generator_name(request: pytest.FixtureRequest) -> str:
    if request.param == "epoll" and sys.platform != "linux":
        pytest.skip("epoll is Linux's")
    return str(request.param)


@pytest.fixture
def run_plan(generator_name: str, tmp_path: Path) -> RunPlan:
    return runs(generator_name, tmp_path)
