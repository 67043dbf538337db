"""GPUs through a library and a tool that answer as NVIDIA's do, and through neither."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from stress.profiler.facts import NotAvailable
from stress.profiler.gpu import Gpu, Gpus, Use, nvidia, parse_smi


def library(*, count: int = 1, busy: int = 37, driver_there: bool = True) -> ModuleType:
    """nvidia-ml-py's functions, with cards of our own."""

    class NVMLError(Exception):
        pass

    def init() -> None:
        if not driver_there:
            raise NVMLError("Driver Not Loaded")

    def rates(handle: int) -> SimpleNamespace:
        if handle == 1:
            raise NVMLError("Not Supported")
        return SimpleNamespace(gpu=busy)

    found = ModuleType("pynvml")
    vars(found).update(
        NVMLError=NVMLError,
        nvmlInit=init,
        nvmlSystemGetDriverVersion=lambda: b"570.1",
        nvmlDeviceGetCount=lambda: count,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetName=lambda _: "NVIDIA H200",
        nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(total=141 << 30, used=3 << 30),
        nvmlDeviceGetUtilizationRates=rates,
    )
    return found


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def tool(tmp_path: Path, script: str) -> None:
    path = tmp_path / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_neither_library_nor_tool() -> None:
    found = nvidia()
    assert isinstance(found, NotAvailable)
    assert found.why == "nvidia-ml-py is not installed; nvidia-smi is not on PATH"
    assert Gpus().use() == []


def test_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", library(count=2))
    assert nvidia() == (Gpu("NVIDIA H200", 141 << 30, "570.1"),) * 2
    assert Gpus().use() == [Use("gpu0", 37.0, 3 << 30)], "a card that does not tell is left out, not made up"


def test_a_library_without_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", library(driver_there=False))
    found = nvidia()
    assert isinstance(found, NotAvailable) and found.why.startswith("NVML: Driver Not Loaded")
    assert Gpus().use() == []


def test_the_tool(tmp_path: Path) -> None:
    tool(tmp_path, "echo 'NVIDIA H200, 143771, 570.1'; echo 'NVIDIA T4, [N/A], 570.1'")
    assert nvidia() == (Gpu("NVIDIA H200", 143771 << 20, "570.1"), Gpu("NVIDIA T4", None, "570.1"))


def test_a_tool_that_fails(tmp_path: Path) -> None:
    tool(tmp_path, "echo 'driver mismatch' >&2; exit 9")
    found = nvidia()
    assert isinstance(found, NotAvailable) and "driver mismatch" in found.why
    assert isinstance(parse_smi("\n"), NotAvailable)
