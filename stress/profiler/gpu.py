"""NVIDIA GPUs: through NVML where nvidia-ml-py is installed, else through nvidia-smi; without either, why not."""

import contextlib
import importlib
import shutil
import subprocess
from types import ModuleType
from typing import NamedTuple

import msgspec

from stress.profiler.facts import NotAvailable

_ASKED = "--query-gpu=name,memory.total,driver_version"
_SMI_S = 10.0


class Gpu(msgspec.Struct, frozen=True):
    """One GPU; `memory_bytes` and `driver` where they are told."""

    name: str
    memory_bytes: int | None
    driver: str


class Use(NamedTuple):
    """What a GPU does now."""

    name: str
    busy_percent: float
    memory_used_bytes: int


def nvidia() -> tuple[Gpu, ...] | NotAvailable:
    """The NVIDIA GPUs of this machine."""
    library = nvml()
    if isinstance(library, ModuleType):
        driver = _text(library.nvmlSystemGetDriverVersion())
        return tuple(
            Gpu(_text(library.nvmlDeviceGetName(handle)), int(library.nvmlDeviceGetMemoryInfo(handle).total), driver)
            for handle in _handles(library)
        ) or NotAvailable("NVML finds no GPU")
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return NotAvailable(f"{library.why}; nvidia-smi is not on PATH")
    try:
        asked = subprocess.run(
            [tool, _ASKED, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=_SMI_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return NotAvailable(f"{library.why}; nvidia-smi: {error}")
    if asked.returncode != 0:
        said = (asked.stderr or asked.stdout).strip().splitlines()
        return NotAvailable(f"{library.why}; nvidia-smi: {said[0] if said else f'ended with {asked.returncode}'}")
    return parse_smi(asked.stdout)


def parse_smi(csv: str) -> tuple[Gpu, ...] | NotAvailable:
    """nvidia-smi's lines of name, MiB, driver."""
    found = []
    for line in csv.strip().splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 3:
            found.append(Gpu(parts[0], int(parts[1]) << 20 if parts[1].isdigit() else None, parts[2]))
    return tuple(found) or NotAvailable("nvidia-smi lists no GPU")


def nvml() -> ModuleType | NotAvailable:
    """The library, ready to be asked, or why it is not."""
    try:
        library = importlib.import_module("pynvml")
    except ImportError:
        return NotAvailable("nvidia-ml-py is not installed")
    try:
        library.nvmlInit()
    except library.NVMLError as error:
        return NotAvailable(f"NVML: {error}")
    return library


class Gpus:
    """GPUs watched through NVML; none where it is not there."""

    def __init__(self) -> None:
        library = nvml()
        self._library = library if isinstance(library, ModuleType) else None
        self._watched = _handles(self._library) if self._library is not None else []

    def use(self) -> list[Use]:
        """What each GPU does now; one that does not tell is left out."""
        found: list[Use] = []
        library = self._library
        if library is None:
            return found
        for number, handle in enumerate(self._watched):
            with contextlib.suppress(library.NVMLError):
                rates, memory = library.nvmlDeviceGetUtilizationRates(handle), library.nvmlDeviceGetMemoryInfo(handle)
                found.append(Use(f"gpu{number}", float(rates.gpu), int(memory.used)))
        return found


def _handles(library: ModuleType) -> list[object]:
    return [library.nvmlDeviceGetHandleByIndex(number) for number in range(library.nvmlDeviceGetCount())]


def _text(value: str | bytes) -> str:
    """Older versions of the library give bytes."""
    return value.decode() if isinstance(value, bytes) else value
