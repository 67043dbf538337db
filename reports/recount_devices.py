"""The second path to the machine's figures, the bus benchmark's and the soaks', and to their criteria.

Over raw JSON objects and an own decoder of HDR logs; it shares no code with the measures.
"""

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reports import recount_hdr
from reports.recount_hdr import HdrLogs
from reports.recount_rows import Fields, Rows

Number = float | str | None
Pairs = Iterator[tuple[str, Number]]
Found = tuple[float | None, str, float | None, str]
"""A criterion's value, comparison, own target and subject."""
_RANKS = {"p50_ms": 50.0, "p99_ms": 99.0, "p999_ms": 99.9, "max_ms": 100.0}
_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0}
_REFERENCE, _FASTER = "numpy", 1.1
_FIXED: dict[str, tuple[str, str, float, str]] = {
    "bus-single": ("busbench.single.rate", ">=", 45_000.0, "busbench"),
    "bus-ticks": ("busbench.ticks.rate", ">=", 1_000_000.0, "busbench"),
    "bus-paced": ("busbench.paced.p99_ms", "<=", 5.0, "busbench"),
    "sampler-overhead": ("sampler.cpu_median_percent", "<=", 1.0, ""),
}
_SOAK: dict[str, tuple[str, str, float]] = {
    "memory-growth": ("growth_worst_mb_h", "<=", 10.0),
    "file-growth": ("files_growth", "<=", 10.0),
    "streams-bounded": ("streams_unbounded", "=", 0.0),
    "latency-drift": ("latency_drift", "<=", 1.5),
}


def figures(rows: Rows, logs: HdrLogs, loads: Mapping[str, Number]) -> dict[str, Number]:
    """Every figure about them; `loads` are those of latency under load."""
    parts = (_machine(rows), _timings(rows), _engines(rows), _modes(rows, logs), _soaks(rows, loads))
    return {name: float(value) if isinstance(value, int) else value for part in parts for name, value in part}


def sampler(folder: Path) -> dict[str, Number]:
    """What one look of the sampler costs.  Raises duckdb.Error on samples that are none."""
    path = folder / "samples.parquet"
    if not path.is_file():
        return {}
    import duckdb

    asked = "SELECT count(*), median(cpu_percent) FROM read_parquet(?) WHERE scope = 'process' AND name = 'sampler'"
    with duckdb.connect(config={"threads": 1}) as db:
        looks, middle = db.execute(asked, [str(path)]).fetchall()[0]
    return {"sampler.cpu_median_percent": middle} if looks else {}


def disagreements(rows: Rows, logs: HdrLogs) -> dict[str, bool]:
    """Whether records contradict each other, by subject."""
    differs = False
    for record in rows.of("bus_mode"):
        differs |= record["lost"] != record["published"] - record["delivered"]
        differs |= record["timed"] > 0 and _whole(record, logs) is None
    machine = False
    for route in rows.of("route"):
        gains = _gains(rows, route["kernel"], route["device"])
        told = gains.get(route["measured_at"])
        machine |= told is None or abs(told - route["speedup"]) > 1e-6 * told
    return {"busbench": differs, "hardware": machine}


def criterion(name: str, found: Mapping[str, Number]) -> Found | None:
    """What a criterion of these is judged by; None for one of others."""

    def value(figure: str) -> float | None:
        number = found.get(figure)
        return number if isinstance(number, float) else None

    if name == "bus-rate":
        bench = value("busbench.single.rate")
        return bench if bench is not None else value("bus.rate_msgs_s"), ">", 1000.0, "bus"
    if name == "hardware":
        parts = [value(f"hardware.{part}") for part in ("engines_routed", "engines_compiled", "accelerators")]
        known = None if None in parts else value("hardware.engines_accelerated")
        return known, ">=", None if known is None else parts[0], "hardware"
    if name in _SOAK:
        figure, comparison, target = _SOAK[name]
        all_ = [value(key) for key in found if key.startswith("soak.") and key.endswith(f".{figure}")]
        known_ones = [each for each in all_ if each is not None]
        worst = max(known_ones) if known_ones and len(known_ones) == len(all_) else None
        return worst, comparison, target, ""
    if name not in _FIXED:
        return None
    figure, comparison, target, subject = _FIXED[name]
    some = value(figure)
    if name.startswith("bus-") and value(f"{figure.rpartition('.')[0]}.odd") is None:
        some = None
    return some, comparison, target, subject


def spoilt(name: str, found: Mapping[str, Number]) -> bool:
    """Whether a criterion of the benchmark is missed whatever its value."""
    if name not in {"bus-single", "bus-ticks", "bus-paced"}:
        return False
    mode = f"busbench.{name.removeprefix('bus-')}"
    rate, asked = found.get(f"{mode}.rate"), found.get(f"{mode}.asked_rate")
    slow = isinstance(rate, float) and isinstance(asked, float) and rate < 0.95 * asked
    return bool(found.get(f"{mode}.odd")) or slow


def _machine(rows: Rows) -> Pairs:
    inventories, devices = rows.of("inventory"), rows.of("device")
    if inventories:
        last = inventories[-1]
        yield "hardware.cores", last.get("cores")
        yield "hardware.usable_cores", last["usable_cores"]
        yield "hardware.memory_bytes", last.get("memory_bytes")
        yield "hardware.devices", len({device["name"] for device in devices if not device.get("why")})
        yield "hardware.accelerators", last["gpus"] + (1 if last["neural_engine"] else 0)


def _timings(rows: Rows) -> Pairs:
    for record in {(r["kernel"], r["size"], r["device"]): r for r in rows.of("kernel_timing")}.values():
        name = f"hardware.{record['kernel']}.{record['size']}.{record['device']}"
        seconds = record.get("median_s")
        if seconds is None:
            continue
        yield f"{name}.ms", seconds * 1e3
        yield f"{name}.speedup", _gains(rows, record["kernel"], record["device"]).get(record["size"])


def _gains(rows: Rows, kernel: str, device: str) -> dict[int, float]:
    """How many times as fast as the reference a device is, by size, where both were timed."""
    seconds: dict[str, dict[int, float | None]] = {_REFERENCE: {}, device: {}}
    for record in rows.of("kernel_timing"):
        if record["kernel"] == kernel and record["device"] in seconds:
            seconds[record["device"]][record["size"]] = record.get("median_s")
    pairs = ((size, base, seconds[device].get(size)) for size, base in seconds[_REFERENCE].items())
    return {size: base / own for size, base, own in pairs if base is not None and own}


def _engines(rows: Rows) -> Pairs:
    told = {record["engine"]: record for record in rows.of("accelerated")}
    if not told:
        return
    kinds = {device["name"]: device["kind"] for device in rows.of("device") if not device.get("why")}
    quick: list[str] = []
    for engine, record in told.items():
        gains = _gains(rows, record["kernel"], record["device"])
        asked = math.log(max(record["size"], 1))
        gain = gains[min(gains, key=lambda size: abs(math.log(size) - asked))] if gains else None
        yield f"hardware.{engine}.speedup", gain
        quick += [kinds.get(record["device"], "")] if gain is not None and gain >= _FASTER else []
    yield "hardware.engines_routed", len(told)
    yield "hardware.engines_accelerated", quick.count("gpu")
    yield "hardware.engines_compiled", quick.count("compiled")


def _whole(record: Fields, logs: HdrLogs) -> Counter[int] | None:
    """The counts of a mode's log; None unless it holds as many messages as were timed."""
    counts = logs.counts(record["hlog"])
    return counts if counts and counts.total() == record["timed"] else None


def _modes(rows: Rows, logs: HdrLogs) -> Pairs:
    for mode, record in {record["mode"]: record for record in rows.of("bus_mode")}.items():
        name = f"busbench.{mode}"
        ticks = record.get("ticks_delivered")
        gone = record["published"] - record["delivered"] + (record.get("ticks_published") or 0) - (ticks or 0)
        for field in ("published", "delivered", "duplicates", "reordered"):
            yield f"{name}.{field}", record[field]
        yield f"{name}.lost", gone
        others = ("duplicates", "reordered", "invented", "undecodable", "changed")
        yield f"{name}.odd", abs(gone) + sum(record[field] for field in others)
        carried = record["delivered"] if ticks is None else ticks
        yield f"{name}.rate", carried / record["seconds"] if record["seconds"] else None
        if record.get("asked_per_s") is not None:
            yield f"{name}.asked_rate", record["asked_per_s"]
        counts, scale = _whole(record, logs), _MS[record.get("hlog_unit", "us")]
        values = recount_hdr.percentiles(counts, tuple(_RANKS.values())) if counts else [None] * len(_RANKS)
        for field, value in zip(_RANKS, values, strict=True):
            yield f"{name}.{field}", None if value is None else value * scale
    for record in rows.of("bus_peer")[-1:]:
        yield "busbench.peer.rate", record.get("per_s")


def _soaks(rows: Rows, loads: Mapping[str, Number]) -> Pairs:
    begin = rows.first if rows.first.get("type") == "run" else {}
    for phase, soak in {record["phase"]: record for record in rows.of("soak")}.items():
        samples = [record for record in rows.of("soak_sample") if record["phase"] == phase]
        cut = len(samples) // 3
        yield f"soak.{phase}.samples", len(samples)
        yield from _grown(f"soak.{phase}", begin.get("engines", []), samples[cut:])
        ends = [(samples[cut]["files"], samples[-1]["files"])] if samples else []
        gains = _files(begin.get("engines", []), samples[cut:], ends)
        yield f"soak.{phase}.files_growth", max(gains) if gains else None
        yield f"soak.{phase}.streams_unbounded", _only_grew(soak, samples[cut : 2 * cut], samples[2 * cut :])
        first, last = (loads.get(f"load.{soak['parts'][place]}.all.p99_ms") for place in (0, -1))
        drift = None
        if isinstance(first, float) and isinstance(last, float):
            drift = max(10.0, last) / max(10.0, first)
        yield f"soak.{phase}.latency_drift", drift


def _files(engines: list[str], samples: list[Fields], ends: list[tuple[Any, Any]]) -> list[int]:
    """What each engine gained; nothing where a sample lacks one."""
    if any(engine not in sample["files"] for engine in engines for sample in samples):
        return []
    return [last[engine] - first[engine] for first, last in ends for engine in engines]


def _only_grew(soak: Fields, middle: list[Fields], last: list[Fields]) -> int | None:
    if not middle:
        return None
    grown = 0
    for topic in soak["trimmed"]:
        early, late = ([sample["entries"].get(topic) for sample in part] for part in (middle, last))
        if None in early or None in late:
            return None
        grown += all(now > before for now in late for before in [*early, 500])
    return grown


def _grown(name: str, engines: list[str], samples: list[Fields]) -> Pairs:
    hours = [(sample["mono_ns"] - samples[0]["mono_ns"]) / 3.6e12 for sample in samples]
    certain: list[float] = []
    for process in {process: None for sample in samples for process in sorted(sample["pss_bytes"])}:
        sizes = [sample["pss_bytes"][process] / 1e6 for sample in samples if process in sample["pss_bytes"]]
        slopes, low = list[float](), None
        if len(sizes) == len(samples) == len(set(hours)):
            points = zip(hours, sizes, strict=True)
            slopes = sorted((b - a) / (y - x) for (x, a), (y, b) in itertools.combinations(points, 2))
            low = _low(slopes, len(samples))
        yield f"{name}.{process}.pss_first_mb", sizes[0]
        yield f"{name}.{process}.growth_mb_h", statistics.median(slopes) if slopes else None
        yield f"{name}.{process}.growth_low_mb_h", low
        if process in engines and low is not None:
            certain.append(0.0 if low * hours[-1] < 2.0 or low * hours[-1] < sizes[0] / 10 else low)
    yield f"{name}.growth_worst_mb_h", max(certain) if certain and len(certain) == len(engines) else None


def _low(slopes: list[float], count: int) -> float | None:
    """The lower end: so many places from the start, by the spread of Kendall's statistic."""
    half = 1.6448536269514722 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    place = math.floor((len(slopes) - half) / 2)
    return slopes[place - 1] if place > 0 else None
