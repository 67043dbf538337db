"""The ways to compute a kernel that may be on this machine, and how each is asked.

A device that is not there raises `Absent` with the reason.  Its libraries are imported here and nowhere else: the
numpy of this process has the threads that its environment gave it, so each device gets a process of its own.
"""

import importlib
import os
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from stress.profiler.kernels import Array, Foreign, Kernel

THREADS = (
    "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)  # fmt: skip
Call = Callable[[], Array]
Kind = Literal["reference", "processor", "compiled", "gpu"]


class Absent(Exception):
    """The device is not on this machine, or its library is not installed."""


class Unfit(Exception):
    """The device is there, but does not compute this kernel in a way of its own."""


class Opened(NamedTuple):
    """A device that is there: `bind` makes a call that computes a kernel from numpy arrays to a numpy array."""

    bind: Callable[[Kernel, tuple[Array, ...]], Call]
    single: bool = False  # it computes in single precision
    package: str = "numpy"


class Way(NamedTuple):
    """A device by name.  `threads`: it uses all cores, else one.

    `kind`: the plain reference, the processor through a library, the processor with compiled code, a GPU.
    """

    name: str
    title: str
    threads: bool
    open: Callable[[], Opened]
    kind: Kind = "processor"


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment(way: Way, env: Mapping[str, str]) -> dict[str, str]:
    """The environment of the process that computes so."""
    return {**env, **dict.fromkeys(THREADS, str(usable_cores() if way.threads else 1))}


def _numpy() -> Opened:
    return Opened(lambda kernel, inputs: lambda: np.asarray(kernel.compute(np, *inputs)))


def _numpy_threads() -> Opened:
    _need_cores()

    def bind(kernel: Kernel, inputs: tuple[Array, ...]) -> Call:
        if not kernel.threaded:
            raise Unfit("no matrix product in it: numpy computes it with one thread")
        return lambda: np.asarray(kernel.compute(np, *inputs))

    return Opened(bind)


def _numba() -> Opened:
    _library("numba")
    from stress.profiler.compiled import SERIAL

    return Opened(lambda kernel, inputs: lambda: SERIAL[kernel.name](*inputs), package="numba")


def _numba_threads() -> Opened:
    _need_cores()
    _library("numba")
    from stress.profiler.compiled import PARALLEL

    return Opened(lambda kernel, inputs: lambda: PARALLEL[kernel.name](*inputs), package="numba")


def _mlx_cpu() -> Opened:
    mx = _library("mlx.core")
    mx.set_default_device(mx.cpu)
    return Opened(_foreign(mx, _to_mlx(mx), np.array, single=False), package="mlx")


def _mlx_gpu() -> Opened:
    mx = _library("mlx.core")
    if not (mx.metal.is_available() or (hasattr(mx, "cuda") and mx.cuda.is_available())):
        raise Absent("MLX finds neither Metal nor CUDA")
    mx.set_default_device(mx.gpu)
    return Opened(_foreign(mx, _to_mlx(mx), np.array, single=True), single=True, package="mlx")


def _to_mlx(mx: ModuleType) -> Callable[[Array], Foreign]:
    """Without being told, MLX would take double precision for single."""
    return lambda array: mx.array(array, dtype=getattr(mx, array.dtype.name))


def _cuda() -> Opened:
    cupy = _library("cupy")
    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:  # CuPy's own classes, which are not importable without it
        raise Absent(f"CuPy reaches no CUDA device: {error}") from error
    if count == 0:
        raise Absent("CuPy finds no CUDA device")
    return Opened(_foreign(cupy, cupy.asarray, cupy.asnumpy, single=False), package="cupy")


def _foreign(
    library: ModuleType, to_device: Callable[..., Foreign], to_host: Callable[..., Any], *, single: bool
) -> Callable[[Kernel, tuple[Array, ...]], Call]:
    """Calls of a library with arrays of its own; both copies belong to the call."""

    def bind(kernel: Kernel, inputs: tuple[Array, ...]) -> Call:
        given = [each.astype(np.float32) if single and each.dtype == np.float64 else each for each in inputs]
        return lambda: np.asarray(to_host(kernel.compute(library, *(to_device(each) for each in given))))

    return bind


def _library(name: str) -> ModuleType:
    """An optional package's module."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        top = name.partition(".")[0]
        missing = isinstance(error, ModuleNotFoundError) and error.name in (top, name)
        raise Absent(f"{top} is not installed" if missing else f"{top} cannot be loaded: {error}") from error


def _need_cores() -> None:
    if usable_cores() < 2:
        raise Absent("this process may use one core only")


WAYS: tuple[Way, ...] = (
    Way("numpy", "numpy, one thread", False, _numpy, "reference"),
    Way("numba", "numba, one thread", False, _numba, "compiled"),
    Way("numpy-threads", "numpy, a matrix library's threads", True, _numpy_threads),
    Way("numba-threads", "numba, all cores", True, _numba_threads, "compiled"),
    Way("mlx-cpu", "MLX on the processor", True, _mlx_cpu),
    Way("mlx-gpu", "MLX on the GPU (Metal or CUDA)", True, _mlx_gpu, "gpu"),
    Way("cuda", "CuPy on an NVIDIA GPU", True, _cuda, "gpu"),
)


def way(name: str) -> Way:
    """A device by its name."""
    return next(each for each in WAYS if each.name == name)
