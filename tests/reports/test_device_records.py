"""The machine, the bus benchmark and soaks: both paths to their figures, verdicts, and records that contradict."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reports import records, recount_devices, runs
from reports.measures import soak as soaks
from tests.reports.conftest import ENGINES, build, finish, write_hlog
from tests.reports.test_role_records import HEAD, added, figures, judged

SIZES = (3, 30, 300)
SECONDS: dict[str, Mapping[int, float]] = {
    "numpy": {3: 1e-5, 30: 3e-5, 300: 6e-4},
    "numba": {3: 2.5e-6, 30: 3e-5, 300: 1.2e-3},
    "cuda": {3: 5e-5, 30: 2e-5, 300: 1e-5},
}
KINDS = {"numpy": "reference", "numba": "compiled", "cuda": "gpu"}


def device(name: str, why: str = "") -> records.Device:
    return msgspec.convert(
        {"type": "device", **HEAD, "mono_ns": 0, "name": name, "title": name, "kind": KINDS[name], "why": why},
        records.Device,
    )


def timing(name: str, size: int, seconds: float | None) -> records.KernelTiming:
    return records.KernelTiming(
        **HEAD, mono_ns=0, kernel="covariance", unit="assets", size=size, device=name, median_s=seconds, repeats=9,
        error=0.0 if seconds else None, why="" if seconds else "it deviates",
    )  # fmt: skip


def inventory(gpus: int = 0) -> records.Inventory:
    facts = [records.Fact(name="system", value="Linux"), records.Fact(name="GPUs", why="nvidia-smi is not on PATH")]
    return records.Inventory(
        **HEAD, mono_ns=0, cores=2, threads=2, usable_cores=2, memory_bytes=8 << 30, gpus=gpus, neural_engine=False,
        facts=facts,
    )  # fmt: skip


def said(name: str, size: int = 3, engine: str = "risk") -> records.Accelerated:
    return records.Accelerated(
        **HEAD, mono_ns=0, phase="hardware", engine=engine, kernel="covariance", size=size, device=name, speedup=None
    )


def machine(*more: records.AnyRecord, gpus: int = 0, names: tuple[str, ...] = ("numpy", "numba")) -> Any:
    """The small run on a machine with these devices, timed."""
    times = [timing(name, size, SECONDS[name][size]) for name in names for size in SIZES]
    wanted = ("hardware", "sampler-overhead")
    return added(inventory(gpus), *(device(name) for name in names), *times, *more, criteria=wanted)


@pytest.mark.parametrize(
    ("names", "gpus", "used", "size", "verdict", "speedup"),
    [
        (("numpy", "numba"), 0, "numba", 3, ("NOT AVAILABLE", 0), 4.0),
        (("numpy", "numba"), 0, "numpy", 3, ("NOT AVAILABLE", 0), 1.0),
        (("numpy", "numba", "cuda"), 1, "numba", 3, ("MISSED", 0), 4.0),
        (("numpy", "numba", "cuda"), 1, "cuda", 300, ("ACHIEVED", 1), 60.0),
        (("numpy", "numba", "cuda"), 1, "cuda", 3, ("MISSED", 0), 0.2),  # used, and slower than the reference
        (("numpy", "numba", "cuda"), 1, "cuda", 200, ("ACHIEVED", 1), 60.0),  # the nearest size that was timed
    ],
)
def test_only_a_faster_accelerator_that_an_engine_names_is_one(
    tmp_path: Path, names: tuple[str, ...], gpus: int, used: str, size: int, verdict: tuple[str, int], speedup: float
) -> None:
    folder = finish(build(tmp_path / "run", machine(said(used, size), gpus=gpus, names=names)))
    found = judged(folder)
    assert found["hardware"] == verdict
    assert found["sampler-overhead"] == ("UNKNOWN", None)
    own = figures(folder)
    assert own["hardware.risk.speedup"].value == pytest.approx(speedup)
    assert own["hardware.engines_compiled"].value == (used == "numba")
    assert own["hardware.covariance.3.numba.speedup"].value == pytest.approx(4.0)
    text = (folder / runs.REPORT_MD).read_text()
    assert "## Hardware acceleration" in text and "NOT AVAILABLE: nvidia-smi is not on PATH" in text
    if used == "numba" and not gpus:
        assert "compiled code on the processor is in use by 1 of 1" in text


def test_an_engine_that_names_an_absent_or_untimed_device_has_no_speed_up(tmp_path: Path) -> None:
    absent = finish(build(tmp_path / "a", machine(said("cuda"), device("cuda", "not installed"), gpus=1)))
    assert judged(absent)["hardware"] == ("MISSED", 0)
    assert figures(absent)["hardware.risk.speedup"].value is None
    wrong = machine(timing("numba", 3, None), said("numba"))
    folder = finish(build(tmp_path / "b", wrong))
    assert figures(folder)["hardware.covariance.3.numba.ms"].value is None
    assert figures(folder)["hardware.risk.speedup"].value == pytest.approx(1.0)  # at 30, the nearest that holds
    assert "it deviates" in (folder / runs.REPORT_MD).read_text()


def test_a_machine_that_no_engine_was_asked_about_is_unknown(tmp_path: Path) -> None:
    assert judged(finish(build(tmp_path / "run", machine())))["hardware"] == ("UNKNOWN", None)


def test_a_route_that_its_times_do_not_bear_is_invalid(tmp_path: Path) -> None:
    def route(speedup: float) -> records.Route:
        return records.Route(
            **HEAD, mono_ns=0, kernel="covariance", from_size=0, device="numba", speedup=speedup, measured_at=3
        )

    good = finish(build(tmp_path / "a", machine(said("numba"), route(1e-5 / 2.5e-6))))
    assert judged(good)["hardware"][0] == "NOT AVAILABLE"
    assert judged(finish(build(tmp_path / "b", machine(said("numba"), route(9.0)))))["hardware"][0] == "INVALID"


def mode(name: str, **changed: Any) -> records.BusMode:
    """100,000 messages in a second, in order; its log (below) holds a thousand latencies."""
    fields: dict[str, Any] = {
        "phase": "bus", "mode": name, "title": f"{name} messages", "seconds": 1.0, "published": 100_000,
        "delivered": 100_000, "lost": 0, "duplicates": 0, "reordered": 0, "invented": 0, "undecodable": 0, "changed": 0,
        "stalls": 0, "cpu_s": 1.5, "hlog": f"latency/bus-{name}.hlog", "timed": 1000,
    }  # fmt: skip
    if name == "paced":
        fields |= {"asked_per_s": 15_000.0, "published": 15_000, "delivered": 15_000}
    if name == "ticks":
        fields |= {"ticks_published": 2_560_000, "ticks_delivered": 2_560_000}
    return records.BusMode(**HEAD, mono_ns=0, **(fields | changed))


def benched(folder: Path, *modes: records.BusMode, peer: float | None = None, p99_us: int = 4000) -> Path:
    other = records.BusPeer(
        **HEAD, mono_ns=0, phase="bus", tool="redis-benchmark", per_s=peer, why="" if peer else "it is not installed"
    )
    wanted = ("bus-single", "bus-ticks", "bus-paced")
    built = build(folder, added(*modes, other, criteria=wanted))
    for item in modes:
        write_hlog(built / item.hlog, [[500] * 980 + [p99_us] * 20])
    return finish(built)


def test_a_bench_that_delivers_is_judged_by_its_rates_and_gives_the_buses_theirs(tmp_path: Path) -> None:
    folder = benched(tmp_path / "run", mode("single"), mode("ticks"), mode("paced"))
    found = judged(folder)
    assert found["bus-single"] == ("EXCEEDED", 100_000)
    assert found["bus-ticks"] == ("EXCEEDED", 2_560_000)
    assert found["bus-paced"] == ("ACHIEVED", pytest.approx(4.0, rel=1e-2))
    assert found["bus-rate"] == ("EXCEEDED", 100_000)  # the ledger's 3,000 are what the tape asked for
    text = (folder / runs.REPORT_MD).read_text()
    assert "single messages" in text and "redis-benchmark: NOT AVAILABLE: it is not installed." in text
    assert (
        "published 340,245 messages/s"
        in (benched(tmp_path / "peer", mode("single"), peer=340_245.0) / runs.REPORT_MD).read_text()
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"delivered": 99_999, "lost": 1}, {"duplicates": 1}, {"reordered": 1}, {"invented": 1}, {"changed": 1},
        {"undecodable": 1}, {"delivered": 100_001, "lost": -1},
    ],
)  # fmt: skip
def test_a_message_that_did_not_arrive_as_it_was_sent_spoils_a_bench(tmp_path: Path, changed: dict[str, int]) -> None:
    assert judged(benched(tmp_path / "run", mode("single", **changed)))["bus-single"][0] == "MISSED"


def test_ticks_lost_within_messages_spoil_their_bench_too(tmp_path: Path) -> None:
    folder = benched(tmp_path / "run", mode("ticks", ticks_delivered=2_559_999))
    assert judged(folder)["bus-ticks"] == ("MISSED", 2_559_999)
    assert figures(folder)["busbench.ticks.lost"].value == 1


def test_a_latency_at_another_rate_than_the_one_asked_for_is_missed(tmp_path: Path) -> None:
    slow = benched(tmp_path / "a", mode("paced", published=14_000, delivered=14_000))
    assert judged(slow)["bus-paced"][0] == "MISSED"
    assert judged(benched(tmp_path / "b", mode("paced"), p99_us=6000))["bus-paced"][0] == "MISSED"


@pytest.mark.parametrize("changed", [{"lost": 5}, {"timed": 999}])
def test_a_bench_whose_record_is_not_its_own_is_invalid(tmp_path: Path, changed: dict[str, int]) -> None:
    found = judged(benched(tmp_path / "run", mode("single", **changed)))
    assert found["bus-single"][0] == "INVALID"


def test_a_run_without_a_bench_knows_nothing_of_it(tmp_path: Path) -> None:
    found = judged(finish(build(tmp_path / "run", added(criteria=("bus-single", "hardware", "memory-growth")))))
    assert {found[name] for name in ("bus-single", "hardware", "memory-growth")} == {("UNKNOWN", None)}
    assert found["bus-rate"] == ("ACHIEVED", pytest.approx(8999 / 6))  # the ledger's own


# ------------------------------------------------------------------------------------------------------ soaks
SOAKED = ("memory-growth", "file-growth", "streams-bounded", "latency-drift")


def samples(
    megabytes: list[float], files: list[int] | None = None, trades: list[int] | None = None
) -> list[records.SoakSample]:
    """A sample every six minutes, of which risk's grows as told; the others stand still."""
    made = []
    for number, size in enumerate(megabytes):
        sizes = dict.fromkeys(ENGINES, 50000000) | {"risk": round(size * 1e6), "bus-main": 1_000_000 * number}
        made.append(
            records.SoakSample(
                **HEAD,
                mono_ns=number * 360_000_000_000,
                phase="soak",
                number=number,
                pss_bytes=sizes,
                files=dict.fromkeys(ENGINES, 20) | {"risk": files[number] if files else 20},
                entries={"trades": trades[number] if trades else 7 * (number % 3), "orders": 10 * number},
            )
        )
    return made


def soaked(folder: Path, taken: list[records.SoakSample]) -> Path:
    """The small run's crash is both ends of the soak."""
    begun = records.Soak(
        **HEAD, mono_ns=0, phase="soak", seconds=60.0, sample_s=5.0, parts=["crash", "crash"], trimmed=["trades"]
    )
    plain = added(begun, criteria=SOAKED)

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        lines = plain(lines)
        last = lines[-1]
        begin = lines[-2].mono_ns
        own = [msgspec.structs.replace(sample, mono_ns=begin + sample.mono_ns) for sample in taken]
        end = own[-1].mono_ns if own else begin
        return [*lines[:-1], *own, msgspec.structs.replace(last, mono_ns=end + 1)]

    return finish(build(folder, edit))


def test_steady_growth_is_found_and_noise_is_not(tmp_path: Path) -> None:
    grows = soaked(tmp_path / "a", samples([60.0 + 3.0 * n for n in range(30)]))
    assert judged(grows)["memory-growth"] == ("MISSED", pytest.approx(30.0))  # 3 MB in six minutes
    assert figures(grows)["soak.soak.risk.growth_mb_h"].value == pytest.approx(30.0)
    noisy = soaked(tmp_path / "b", samples([60.0 + 4.0 * (n * 7 % 5) for n in range(30)]))
    assert judged(noisy)["memory-growth"] == ("EXCEEDED", 0.0)
    stepped = soaked(tmp_path / "c", samples([60.0] * 18 + [90.0] * 12))
    assert judged(stepped)["memory-growth"][0] == "EXCEEDED"
    text = (grows / runs.REPORT_MD).read_text()
    assert "## Soak" in text and "30 samples" in text
    assert judged(grows)["latency-drift"] == ("ACHIEVED", 1.0)


def test_warm_up_is_left_out_and_a_small_step_is_none(tmp_path: Path) -> None:
    warm = soaked(tmp_path / "a", samples([30.0 + 5.0 * n for n in range(10)] + [80.0] * 20))
    assert judged(warm)["memory-growth"] == ("EXCEEDED", 0.0)
    for name, step in (("b", 0.05), ("c", 0.3)):  # 1 MB, and 5.7 MB of 63 MB, in the counted samples
        small = soaked(tmp_path / name, samples([60.0 + step * n for n in range(30)]))
        assert judged(small)["memory-growth"] == ("EXCEEDED", 0.0)
        assert figures(small)["soak.soak.risk.growth_low_mb_h"].value == pytest.approx(10 * step)


def test_too_few_samples_or_a_process_that_told_nothing_are_unknown(tmp_path: Path) -> None:
    few = judged(soaked(tmp_path / "a", samples([60.0] * 6)))
    assert few["memory-growth"] == ("UNKNOWN", None)
    taken = samples([60.0] * 30)
    del taken[20].pss_bytes["vpin"], taken[20].files["vpin"]
    assert judged(soaked(tmp_path / "b", taken))["memory-growth"] == ("UNKNOWN", None)
    assert judged(soaked(tmp_path / "c", taken))["file-growth"] == ("UNKNOWN", None)
    assert judged(soaked(tmp_path / "d", []))["streams-bounded"] == ("UNKNOWN", None)
    at_once = [msgspec.structs.replace(sample, mono_ns=0) for sample in samples([60.0 + n for n in range(30)])]
    assert judged(soaked(tmp_path / "e", at_once))["memory-growth"] == ("UNKNOWN", None)


def test_files_and_streams_that_only_grow_are_missed(tmp_path: Path) -> None:
    taken = samples([60.0] * 30, files=[20 + n for n in range(30)], trades=[100 * n for n in range(30)])
    short = samples([60.0] * 30, trades=[10 * n for n in range(30)])
    assert judged(soaked(tmp_path / "short", short))["streams-bounded"] == ("ACHIEVED", 0)
    found = judged(soaked(tmp_path / "a", taken))
    assert found["file-growth"] == ("MISSED", 19)
    assert found["streams-bounded"] == ("MISSED", 1)  # orders are kept on purpose
    found = judged(soaked(tmp_path / "b", samples([60.0] * 30)))
    assert (found["file-growth"][0], found["streams-bounded"]) == ("EXCEEDED", ("ACHIEVED", 0))


@given(st.lists(st.integers(-1000, 1000), min_size=6, max_size=30))
def test_the_slope_is_sens(values: list[int]) -> None:
    """Oracle: scipy's `theilslopes`, whose two-sided 90 % interval has our one-sided 95 % end; it corrects for ties."""
    hours = [float(n) for n in range(len(values))]
    found = soaks.sen(hours, [float(value) for value in values])
    assert found is not None
    middle, _, low, _ = stats.theilslopes(values, hours, 0.90)
    assert found.middle == pytest.approx(middle)
    if len(set(values)) == len(values) and found.low is not None:
        slopes = sorted((b - a) / (j - i) for i, a in enumerate(values) for j, b in enumerate(values) if j > i)
        place = min(range(len(slopes)), key=lambda n: abs(slopes[n] - low))
        assert found.low <= slopes[min(place + 1, len(slopes) - 1)] + 1e-9
        assert found.low >= slopes[max(place - 2, 0)] - 1e-9
    again = sorted((b - a) / (j - i) for i, a in enumerate(values) for j, b in enumerate(values) if j > i)
    assert recount_devices._low(again, len(values)) == pytest.approx(found.low)
