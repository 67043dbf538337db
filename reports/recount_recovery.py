"""The second path to the figures about faults and the way back from each, over raw JSON objects."""

from collections.abc import Iterator

from reports.recount_rows import Fields, Rows

Number = float | str | None
Pairs = Iterator[tuple[str, Number]]
_BACK = {
    "detect": "detected_ns",
    "restart": "restarted_ns",
    "healthy": "healthy_ns",
    "regain": "regained_ns",
    "drain": "drained_ns",
}


def figures(rows: Rows) -> dict[str, Number]:
    """Every figure about faults by its id."""
    parts = (_faults(rows), _engines(rows))
    return {name: float(value) if isinstance(value, int) else value for part in parts for name, value in part}


def _faults(rows: Rows) -> Pairs:
    faults, ways = rows.of("fault"), [{**way, "regained_ns": _regained(way, rows)} for way in rows.of("recovery")]
    if not faults and not ways:
        return
    injected = sum(record["event"] == "inject" for record in faults)
    yield "faults.injected", injected
    yield "faults.unproven", sum(not record["proven"] for record in faults)
    unseen = [all(way.get(stamp) is None for stamp in ("detected_ns", "restarted_ns")) for way in ways]
    fine = [way.get("regained_ns") is not None for way in ways]
    yield "faults.borne", sum(quiet and well for quiet, well in zip(unseen, fine, strict=True))
    yield "recovery.missing", injected - sum(record.get("regained_ns") is not None for record in ways)
    for name, field in _BACK.items():
        times: list[float] = []
        counted = 0
        for record, quiet, well in zip(ways, unseen, fine, strict=True):
            seconds = None if record.get(field) is None else (record[field] - _start(record, name)) / 1e9
            yield f"recovery.{record['id']}.{name}_s", seconds
            spared = well and seconds is None and (name == "restart" or (name == "detect" and quiet))
            if record["target"] != "supervisor" and not spared:
                counted += 1
                times += [] if seconds is None else [seconds]
        times = sorted(times) if len(times) == counted else []
        yield f"recovery.{name}_mean_s", sum(times) / len(times) if times else None
        yield f"recovery.{name}_p95_s", times[-(-len(times) * 95 // 100) - 1] if times else None
        yield f"recovery.{name}_worst_s", times[-1] if times else None
    rebuilt = [record for record in ways if record["target"] == "supervisor"]
    if rebuilt:
        ends = [record.get("regained_ns") for record in rebuilt]
        spans = [(end - record["injected_ns"]) / 1e9 for end, record in zip(ends, rebuilt, strict=True) if end]
        yield "recovery.supervisor_worst_s", max(spans) if len(spans) == len(rebuilt) else None


def _start(record: Fields, name: str) -> int:
    """From when a recovery counts: the healing, where nothing had been started anew before it; else the injection."""
    healed, again = record.get("healed_ns"), record.get("restarted_ns")
    early = again is not None and healed is not None and again < healed
    start: int = record["injected_ns"] if name == "detect" or healed is None or early else healed
    return start


def _regained(way: Fields, rows: Rows) -> int | None:
    """When the last of the engines that it touched was back; the recovery's own word where they were not asked."""
    ends: list[int | None] = [
        record.get("regained_ns") for record in rows.of("engine_recovery") if record["id"] == way["id"]
    ]
    if not ends:
        told: int | None = way.get("regained_ns")
        return told
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(way["engines"]) else None


def _engines(rows: Rows) -> Pairs:
    """Engine by engine."""
    spans: dict[str, list[float | None]] = {}
    levels: dict[str, Fields] = {record["engine"]: record for record in rows.of("engine_recovery")}
    for way in rows.of("recovery"):
        told = {record["engine"]: record for record in rows.of("engine_recovery") if record["id"] == way["id"]}
        if not told or way["target"] == "supervisor":
            continue
        for engine in way["engines"]:
            end = told.get(engine, {}).get("regained_ns")
            span = None if end is None else (end - _start(way, "regain")) / 1e9
            spans.setdefault(engine, []).append(span)
            yield f"regain.{engine}.{way['id']}_s", span
    for engine, found in spans.items():
        yield f"regain.{engine}.faults", len(found)
        yield f"regain.{engine}.answer_ms", levels.get(engine, {}).get("answer_ms")
        yield f"regain.{engine}.fresh_ms", levels.get(engine, {}).get("fresh_ms")
        known = sorted(span for span in found if span is not None)
        whole = len(known) == len(found)
        yield f"regain.{engine}.mean_s", sum(known) / len(known) if whole else None
        yield f"regain.{engine}.worst_s", known[-1] if whole else None
