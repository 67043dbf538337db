"""How engines are born: what a forked and a spawned one see of themselves (Linux)."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from toyfleet import ToyFleet

from engines.fleet import process

pytestmark = pytest.mark.skipif(not process.LINUX, reason="reads /proc")
ENGINES: dict[str, dict[str, object]] = {"a": {}, "b": {}}


@pytest.fixture(params=["zygote", "spawn"])
def fleet(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ToyFleet]:
    monkeypatch.setenv("PYTHONPATH", "")
    toys = ToyFleet(tmp_path, request.param, ENGINES)
    yield toys
    toys.close()


def inspect(fleet: ToyFleet, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((fleet.state / f"inspect-{name}").read_text())
    return found


def test_an_engine_stands_on_its_own(fleet: ToyFleet) -> None:
    for name in ENGINES:
        fleet.habit(name, "inspect")
    now = fleet.up()
    a, b = inspect(fleet, "a"), inspect(fleet, "b")
    for seen in (a, b):
        assert seen["parent"] == now.supervisor.pid
        assert seen["session"] == seen["group"] == seen["pid"]
        forked = now.supervisor.launch == "zygote"
        assert seen["armed"] == (0 if forked else 9), "the parent-death signal, where no zygote ends what is left"
        log = str(fleet.where.log(seen["name"] if now.supervisor.launch == "zygote" else "a" if seen is a else "b"))
        assert seen["fds"].pop("0") == "/dev/null" and seen["fds"].pop("1") == seen["fds"].pop("2") == log
        assert seen["fds"].pop(str(seen["control"])).startswith("pipe:")
        assert seen["fds"] == {}, "nothing else was inherited"
        assert seen["threads"] == 1 and seen["blas"] == "1" and seen["files"] == 4096
    assert a["random"] != b["random"] and a["numpy"] != b["numpy"], "each has random numbers of its own"
    if now.supervisor.launch == "zygote":
        assert {"duckdb", "litestar", "uvicorn", "redis.asyncio"} <= set(a["modules"])
        assert not {m for m in a["modules"] if m.split(".")[0] in ("mlx", "numba", "pandas", "matplotlib")}
        assert (a["name"], a["argv"]) == ("a", ["toys.a.__main__"])


def test_with_the_control_pipe_alone_an_engine_halts_and_ends(fleet: ToyFleet) -> None:
    """What remains where no parent-death signal exists."""
    fleet.habit("a", "bare")
    now = fleet.up()
    engines = [process.identify(engine.pid or 0) for engine in now.engines]
    fleet.kill(now.supervisor.pid)
    assert process.wait_gone([engine for engine in engines if engine], 2.0) == []
    assert fleet.diary("a")[-1].startswith("halted ")


def test_an_exit_code_and_a_traceback_come_through(fleet: ToyFleet) -> None:
    (fleet.root / "a/__main__.py").write_text(
        "def main():\n    raise RuntimeError('broken on purpose')\n\n\nif __name__ == '__main__':\n    main()\n"
    )
    (fleet.root / "b/__main__.py").write_text(
        "import sys\n\n\ndef main():\n    sys.exit(78)\n\n\nif __name__ == '__main__':\n    main()\n"
    )
    fleet.spec = replace(fleet.spec, rules=replace(fleet.spec.rules, crashes=2))
    fleet.up()
    a, b = fleet.engine("a"), fleet.engine("b")
    assert a.state == "failed" and a.restarts == 1 and a.last_lines[-1] == "RuntimeError: broken on purpose"
    assert b.state == "failed" and b.restarts == 0 and "exit code 78" in b.cause


def test_preloads_are_warmed_once_before_the_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    preload = ["heavy", "does_not_exist"]
    toys = ToyFleet(tmp_path, "zygote", {"first": {"preload": preload}, "light": {}, "second": {"preload": preload}})
    (tmp_path / "pkg/heavy.py").write_text(
        "import os\n\n\ndef warm():\n    open('warmed', 'a').write(f'{os.getpid()}\\n')\n"
    )
    for name in ("first", "light", "second"):
        toys.habit(name, "inspect")
    try:
        now = toys.up()
        assert now.healthy
        assert "heavy" not in inspect(toys, "light")["modules"], "what needs nothing is forked first"
        assert "heavy" in inspect(toys, "first")["modules"] and "heavy" in inspect(toys, "second")["modules"]
        warmed = (toys.state / "warmed").read_text().split()
        assert len(warmed) == 1 and int(warmed[0]) not in {engine.pid for engine in now.engines} | {os.getpid()}
        assert "does_not_exist: ModuleNotFoundError" in toys.log("zygote")
    finally:
        toys.close()
