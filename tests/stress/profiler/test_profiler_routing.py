"""Profiles measured in real processes, of devices that are there, absent, wrong, slow and crashing."""

import json
import os
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engines.wire import machine, routing
from engines.wire.routing import BASELINE, Profile, Timing
from stress.profiler import bench, devices, kernels
from stress.profiler import routing as profiling
from stress.profiler.devices import WAYS, Absent, Opened, Unfit, Way
from stress.profiler.kernels import KERNELS, Array, Kernel
from stress.profiler.routing import Bench, ProfileError, Progress

COVARIANCE = next(kernel for kernel in KERNELS if kernel.name == "covariance")
SMALL = COVARIANCE._replace(quick=(2, 20))
NUMPY = devices.way("numpy")


def fake(name: str) -> Way:
    """A device whose process cannot know it: it crashes."""
    return Way(name, name, False, lambda: Opened(lambda *_: lambda: np.zeros(1)))


def times_of(found: Profile, device: str) -> list[Timing]:
    return [each for each in found.timings if each.device == device]


def test_a_profile_of_numpy_and_what_is_not_there() -> None:
    heard: list[Progress] = []
    ways = [NUMPY, devices.way("mlx-gpu"), devices.way("cuda"), fake("crashing")]
    found = profiling.profile(quick=True, hear=heard.append, chosen=[SMALL], ways=ways)
    cells = times_of(found, BASELINE)
    assert [(each.size, each.error) for each in cells] == [(2, 0.0), (20, 0.0)]
    assert all(each.median_s and each.median_s > 0 and each.repeats >= 3 for each in cells)
    reasons = {device.name: device.why for device in found.devices}
    assert reasons[BASELINE] == ""
    assert reasons["mlx-gpu"] and reasons["cuda"]
    assert reasons["crashing"].startswith("its process ended with 1: StopIteration")
    assert not [each for each in found.timings if each.device != BASELINE]
    assert [(row.device, row.from_size) for row in found.crossovers] == [(BASELINE, 0)]
    assert found.versions.keys() == {"numpy"}
    assert found.fingerprint == machine.fingerprint(machine.facts())
    assert heard[-1].done == heard[-1].total
    assert [each.done for each in heard] == sorted(each.done for each in heard)


def test_parallel_kernels_are_right() -> None:
    """In a process of their own: after one, a fork of this process would abort."""
    if devices.usable_cores() < 2:
        pytest.skip("one core")
    tiny = [kernel._replace(quick=kernel.quick[:1]) for kernel in KERNELS]
    plan = bench.Plan({kernel.name: list(kernel.quick) for kernel in tiny}, 0.0)
    going = Bench(plan, [devices.way("numba-threads")], 90.0, lambda _: None)
    going.run()
    assert going.absent == {}
    assert [each.kernel for each in going.timings] == [kernel.name for kernel in KERNELS]
    for each, kernel in zip(going.timings, KERNELS, strict=True):
        assert each.error is not None and each.error <= kernel.tolerance, each.why
        assert each.median_s is not None


def test_without_numpy_there_is_no_profile() -> None:
    with pytest.raises(ProfileError, match="cannot be timed"):
        profiling.profile(quick=True, chosen=[SMALL], ways=[fake("nothing")])


def test_time_that_runs_out_leaves_no_process_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = bench.Plan({"covariance": [2, 2_000]}, 60.0)
    going = Bench(plan, [NUMPY], 3.0, lambda _: None)
    spawned: list[profiling.Child] = []
    born = profiling.Child.__init__

    def remember(child: profiling.Child, way: Way, of: bench.Plan) -> None:
        born(child, way, of)
        spawned.append(child)

    monkeypatch.setattr(profiling.Child, "__init__", remember)
    going._ready_until = time.monotonic() + 60  # this machine may be busy: only the timing shall run out
    going._until = time.monotonic() + 60
    prepare = going._prepare

    def then_hurry(child: profiling.Child) -> bool:
        ready = prepare(child)
        going._until = time.monotonic() + 0.5
        return ready

    monkeypatch.setattr(going, "_prepare", then_hurry)
    going.run()
    assert [each.size for each in going.timings] == [2, 2_000]
    assert going.timings[-1].median_s is None and going.timings[-1].why == "not timed: 3 s were over"
    assert [child.process.returncode for child in spawned] == [-9]


def opened(shift: float, single: bool = False) -> Opened:
    """numpy, off by a share of the largest value."""

    def bind(kernel: Kernel, inputs: tuple[Array, ...]) -> devices.Call:
        result = np.asarray(kernel.compute(np, *inputs))
        return lambda: result + shift * np.abs(result).max()

    return Opened(bind, single)


@pytest.mark.parametrize(
    ("shift", "single", "right"), [(0.0, False, True), (1e-6, False, False), (1e-6, True, True), (0.1, True, False)]
)
def test_a_wrong_result_disqualifies(shift: float, single: bool, right: bool) -> None:
    found = bench.measure("x", opened(shift, single), SMALL, 5, 0.0)
    assert (found.median_s is not None) is right
    assert found.error == pytest.approx(shift, rel=1e-6, abs=1e-15)
    assert ("deviates" in found.why) is not right


def test_a_device_that_raises_or_does_not_fit_is_no_candidate() -> None:
    def refuse(*_: object) -> devices.Call:
        raise Unfit("not its trade")

    def fail(*_: object) -> devices.Call:
        raise RuntimeError("out of memory\nand more")

    assert bench.measure("x", Opened(refuse), SMALL, 5, 0.0).why == "not its trade"
    assert bench.measure("x", Opened(fail), SMALL, 5, 0.0).why == "RuntimeError: out of memory"


def test_a_nan_is_wrong_too() -> None:
    hollow = Opened(lambda *_: lambda: np.full((5, 5), np.nan))
    found = bench.measure("x", hollow, SMALL, 5, 0.0)
    assert found.median_s is None and found.error is None and "deviates" in found.why


def test_the_environment_settles_the_threads() -> None:
    one = devices.environment(NUMPY, {"PATH": "x"})
    assert one["PATH"] == "x" and {one[name] for name in devices.THREADS} == {"1"}
    many = devices.environment(devices.way("numpy-threads"), {})
    assert {many[name] for name in devices.THREADS} == {str(devices.usable_cores())}


def test_one_core_has_no_threaded_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "usable_cores", lambda: 1)
    for name in ("numpy-threads", "numba-threads"):
        with pytest.raises(Absent, match="one core"):
            devices.way(name).open()


@pytest.mark.parametrize(("name", "module"), [("mlx-cpu", "mlx.core"), ("mlx-gpu", "mlx.core"), ("cuda", "cupy")])
def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, name: str, module: str) -> None:
    top = module.partition(".")[0]
    monkeypatch.setitem(sys.modules, top, None)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Absent, match=top):
        devices.way(name).open()


def test_a_library_of_other_arrays_is_fed_and_read() -> None:
    """What MLX and CuPy are to the profiler, in numpy's shape: copies in single precision both ways."""
    seen: list[object] = []

    def to_device(array: Array) -> Array:
        seen.append(array.dtype)
        return array.copy()

    bind = devices._foreign(np, to_device, np.array, single=True)
    call = bind(COVARIANCE, COVARIANCE.inputs(4))
    assert seen == [], "copies are part of the timed call"
    assert call().dtype == np.float32 and seen == [np.float32]


def test_numpys_threads_are_for_matrix_products() -> None:
    if devices.usable_cores() < 2:
        pytest.skip("one core")
    threads = devices.way("numpy-threads").open()
    with pytest.raises(Unfit, match="no matrix product"):
        threads.bind(KERNELS[0], KERNELS[0].inputs(100))
    assert threads.bind(COVARIANCE, COVARIANCE.inputs(3))().shape == (3, 3)


def test_saved_at_once_and_read_by_engines(tmp_path: Path) -> None:
    found = profiling.profile(quick=True, chosen=[SMALL], ways=[NUMPY])
    path = profiling.save(found, tmp_path / "home")
    assert path.name == routing.FILE and os.listdir(path.parent) == [routing.FILE]  # noqa: PTH208
    assert msgspec.json.decode(path.read_bytes(), type=Profile) == found
    assert json.loads(path.read_bytes())["schema"] == "nautilus.profile/1"
    assert routing.load(path).why == ""
    (tmp_path / "file").touch()
    with pytest.raises(ProfileError, match="cannot be written"):
        profiling.save(found, tmp_path / "file")


def test_every_kernel_has_an_implementation_for_every_compiled_device() -> None:
    from stress.profiler.compiled import PARALLEL, SERIAL

    names = [kernel.name for kernel in KERNELS]
    assert list(SERIAL) == list(PARALLEL) == names
    assert len({each.name for each in WAYS}) == len(WAYS)
    assert kernels.KERNELS[-1].name == "covariance"
