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
from nautilus_cli.diagnosis import host, product
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
    found = host.judge_clock(year, drift, resolution)
    assert found.status == status and bool(found.fix) is (status != "ok")


def test_graphics_asks_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert host.graphics().detail.startswith("none (no nvidia-smi")
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 570.1, 143771 MiB'\n")
    tool.chmod(0o755)
    assert host.graphics() == Finding("gpu", "ok", "NVIDIA H200, 570.1, 143771 MiB")
    tool.write_text("#!/bin/sh\necho 'driver mismatch' >&2\nexit 9\n")
    assert host.graphics().status == "warn" and "driver mismatch" in host.graphics().detail


def test_packages() -> None:
    there = {"numpy": "2.4.6", "redis": "7.9"}
    wanted = ["numpy>=2.1", 'pytest>=8; extra == "dev"', "uvloop>=0.21; sys_platform != 'win32'", "redis>=8.0"]
    found = product.judge_packages(wanted, there.get)
    assert found.status == "fail" and found.detail == "uvloop is missing; redis 7.9 is older than 8.0"
    assert product.judge_packages(wanted[:2], there.get) == Finding("packages", "ok", "numpy 2.4.6")


def test_ports_name_who_holds_them(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        taken = Manifest(name="taken", title="Taken", port=port)
        monkeypatch.setattr(product.manifest, "discover", lambda: (taken,))
        found = product.engine_ports("default")
    assert found.status == "warn" and f"taken {port}: pid " in found.detail and "--port-offset" in found.fix


def test_ports_of_the_running_fleet_are_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    class Engine:
        port = 0

    class Now:
        wanted = (Engine(),)

    with socket.create_server(("127.0.0.1", 0)) as server:
        Engine.port = server.getsockname()[1]
        taken = Manifest(name="taken", title="Taken", port=Engine.port)
        monkeypatch.setattr(product.manifest, "discover", lambda: (taken,))
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
    assert "(will be made)" in product.state_folder(tmp_path / "a" / "b").detail

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    found = product.state_folder(tmp_path)
    assert found.status == "fail" and "Permission denied" in found.detail and "NAUTILUS_HOME" in found.fix


def test_runtime_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert product.runtime_folder(folder).status == "ok"
    folder.mkdir(mode=0o700)
    assert product.runtime_folder(folder).status == "ok"
    folder.chmod(stat.S_IRWXU | stat.S_IROTH)
    assert product.runtime_folder(folder).status == "fail"


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
    monkeypatch.setattr(doctor, "checks", lambda _fleet: found)
    shown = nautilus("doctor")
    assert (
        shown.exit_code == 1
        and "To mend c: mend c" in shown.stdout
        and "3 checks: 1 failed, 1 warning." in shown.stderr
    )
    found.pop("c")
    assert nautilus("doctor").exit_code == 0


def test_not_running_is_no_fault_of_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_name: str) -> None:
        raise NotRunning("No fleet is running.")

    monkeypatch.setattr(api, "status", none)
    monkeypatch.setattr(product.ports, "free", lambda _host, _port: True)
    assert product.engine_ports("default").status == "ok"
