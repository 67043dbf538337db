"""Doctor: each check for itself, then the command."""

import json
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from engines.fleet import api
from engines.wire import bundle
from engines.wire.errors import NotRunning
from engines.wire.manifest import Manifest
from nautilus_cli.commands import doctor
from nautilus_cli.diagnosis import clocks, graphics, host, packages, places, product
from nautilus_cli.diagnosis.finding import Finding, perform

Type = Callable[..., Result]
INFINITE = -1


@pytest.mark.parametrize(("available", "status"), [(3e9, "ok"), (2e9, "ok"), (1.5e9, "warn"), (0.5e9, "fail")])
def test_memory(available: float, status: str) -> None:
    assert host.judge_memory(int(available), int(8e9)).status == status


@pytest.mark.parametrize(("hard", "status"), [(1024, "warn"), (10_240, "ok"), (INFINITE, "ok")])
def test_files(hard: int, status: str) -> None:
    assert host.judge_files(1024, hard).status == status


@pytest.mark.parametrize(
    ("year", "drift", "resolution", "status"),
    [(2026, 1e-5, 1e-9, "ok"), (1970, 0.0, 1e-9, "fail"), (2026, -0.2, 1e-9, "warn"), (2026, 0.0, 1e-3, "warn")],
)
def test_clock(year: int, drift: float, resolution: float, status: str) -> None:
    found = clocks.judge_clock(year, drift, resolution)
    assert found.status == status and bool(found.fix) is (status != "ok")


def test_graphics_asks_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert graphics.graphics(tmp_path).detail.startswith("none (no nvidia-smi")
    (tmp_path / "nvidia0").touch()
    found = graphics.graphics(tmp_path)
    assert found.status == "warn" and found.detail.startswith("nvidia0 is there") and found.fix
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 570.1, 143771 MiB'\n")
    tool.chmod(0o755)
    assert graphics.graphics(tmp_path) == Finding("gpu", "ok", "NVIDIA H200, 570.1, 143771 MiB")
    tool.write_text("#!/bin/sh\necho 'driver mismatch' >&2\nexit 9\n")
    assert graphics.graphics(tmp_path).status == "warn" and "driver mismatch" in graphics.graphics(tmp_path).detail


@pytest.mark.parametrize(("kept", "status"), [(True, "ok"), (None, "ok"), (False, "warn")])
def test_clock_sync(kept: bool | None, status: str) -> None:
    found = clocks.judge_synchronisation(kept)
    assert found.status == status and bool(found.fix) is (status != "ok")


def test_packages() -> None:
    there = {"numpy": "2.4.6", "redis": "7.9"}
    wanted = ["numpy>=2.1", 'pytest>=8; extra == "dev"', "uvloop>=0.21; sys_platform != 'win32'", "redis>=8.0"]
    found = packages.judge_packages(wanted, there.get, {})
    assert found.status == "fail" and found.detail == "uvloop is missing; redis 7.9 is older than 8.0"
    assert packages.judge_packages(wanted[:2], there.get, {}) == Finding("packages", "ok", "1 there: numpy 2.4.6")


def test_packages_against_the_constraints() -> None:
    pins = packages.pinned("numpy==2.4.6\nPy_Yaml==1.0 ; python_version > '3'\n# x==1\nflask>=2\n")
    assert pins == {"numpy": "2.4.6", "py-yaml": "1.0"}
    there = {"numpy": "2.4.6", "py.yaml": "1.1"}
    found = packages.judge_packages(["numpy>=2"], there.get, pins)
    assert found == Finding("packages", "ok", "1 there as tested: numpy 2.4.6")
    found = packages.judge_packages(["numpy>=2", "py.yaml"], there.get, pins)
    assert found.status == "warn" and found.detail == "2 there, but py.yaml 1.1 (tested with 1.0)" and found.fix


def test_ports_name_who_holds_them(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        taken = Manifest(name="taken", title="Taken", port=port)
        monkeypatch.setattr("engines.wire.manifest.discover", lambda: (taken,))
        found = product.engine_ports("default")
    assert found.status == "warn" and f"taken {port}: pid " in found.detail and "--port-offset" in found.fix


def test_ports_are_moved_by_the_offset(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr("engines.fleet.ports.free", lambda _host, port: port != 12_000)
    monkeypatch.setattr("engines.wire.manifest.discover", lambda: (Manifest(name="a", title="A", port=9000),))
    assert product.engine_ports("default").detail == "1 free on 127.0.0.1, 9000-9000"
    assert product.engine_ports("default", 3000).status == "warn"


def test_ports_of_the_running_fleet_are_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    class Engine:
        port = 0

    class Now:
        wanted = (Engine(),)

    with socket.create_server(("127.0.0.1", 0)) as server:
        Engine.port = server.getsockname()[1]
        taken = Manifest(name="taken", title="Taken", port=Engine.port)
        monkeypatch.setattr("engines.wire.manifest.discover", lambda: (taken,))
        monkeypatch.setattr(api, "status", lambda _name: Now())
        assert product.engine_ports("default") == Finding("ports", "ok", "1 held by the running fleet 'default'")


def test_bus_server(tmp_path: Path) -> None:
    assert product.bus_server({"PATH": "/usr/bin"}).status == "ok"
    external = {"NAUTILUS_BUS_MAIN_URL": "redis://a", "NAUTILUS_BUS_MARKET_URL": "redis://b"}
    assert product.bus_server(external).detail.startswith("external")


def test_bundled_data(tmp_path: Path) -> None:
    folder = shutil.copytree(bundle.FOLDER, tmp_path / "bundle")
    assert product.bundled_data(folder).status == "ok"
    path = folder / "sp500_daily.parquet"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    found = product.bundled_data(folder)
    assert (found.status, found.detail) == ("fail", "not what was built: sp500_daily.parquet") and found.fix
    path.unlink()
    assert product.bundled_data(folder).status == "fail"


def test_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "(will be made)" in places.state_folder(tmp_path / "a" / "b").detail

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    found = places.state_folder(tmp_path)
    assert found.status == "fail" and "Permission denied" in found.detail and "NAUTILUS_HOME" in found.fix


def test_runtime_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert places.runtime_folder("default", folder).status == "ok"
    folder.mkdir(mode=0o700)
    assert places.runtime_folder("default", folder).status == "ok"
    folder.chmod(stat.S_IRWXU | stat.S_IROTH)
    assert places.runtime_folder("default", folder).status == "fail"


def test_a_runtime_folder_too_deep_for_sockets() -> None:
    found = places.runtime_folder("default", Path("/" + "x" * 81))
    assert found.status == "fail" and "socket paths of 108 bytes of at most 107" in found.detail
    assert places.runtime_folder("default", Path("/" + "x" * 80)).status == "ok"


def test_the_environment_is_told_by_name_only() -> None:
    found = places.environment({"NAUTILUS_TOKEN": "sekrit", "PATH": "/bin", "NO_COLOR": "1"})
    assert found.detail == "set: NAUTILUS_TOKEN, NO_COLOR (names only)"


def test_a_check_that_crashes_has_found_nothing_out() -> None:
    def crash() -> Finding:
        raise ZeroDivisionError("oh")

    assert perform("x", crash) == Finding("x", "fail", "the check itself failed: ZeroDivisionError: oh", "report this")


def test_doctor_here(nautilus: Type) -> None:
    """On the machine that runs the tests everything that the product needs is there."""
    shown = nautilus("doctor", "--json")
    document = json.loads(shown.stdout)
    assert document["schema"] == "nautilus.doctor/1" and document["ok"] is True and shown.exit_code == 0
    status = {check["name"]: check["status"] for check in document["checks"]}
    assert list(status) == list(doctor.checks("default"))
    for name in ("python", "platform", "packages", "engines", "bus server", "bundled data", "state folder"):
        assert status[name] == "ok"
    for check in document["checks"]:
        assert bool(check["fix"]) is (check["status"] != "ok")


def test_doctor_that_finds_a_fault(nautilus: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        "a": lambda: Finding("a", "ok", "fine"),
        "b": lambda: Finding("b", "warn", "so so", "nurse b"),
        "c": lambda: Finding("c", "fail", "broken", "mend c"),
    }
    monkeypatch.setattr(doctor, "checks", lambda _fleet, _offset: found)
    shown = nautilus("doctor")
    assert (
        shown.exit_code == 1
        and "To mend c: mend c" in shown.stdout
        and "3 checks: 1 failed, 1 warning." in shown.stderr
    )
    found.pop("c")
    assert nautilus("doctor").exit_code == 0


def test_what_was_found_is_wrapped_to_be_pasted(nautilus: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"a": lambda: Finding("a", "ok", "word " * 30)}
    monkeypatch.setattr(doctor, "checks", lambda _fleet, _offset: found)
    lines = nautilus("doctor").stdout.splitlines()
    assert max(len(line) for line in lines) <= 100 and "\x1b" not in "".join(lines)
    assert " ".join(" ".join(lines[3:]).split()) == "a ok " + ("word " * 30).strip()


def test_not_running_is_no_fault_of_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_name: str) -> None:
        raise NotRunning("No fleet is running.")

    monkeypatch.setattr(api, "status", none)
    monkeypatch.setattr("engines.fleet.ports.free", lambda _host, _port: True)
    assert product.engine_ports("default").status == "ok"
