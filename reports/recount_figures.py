"""The second path to the figures of the history, as pairs of id and value, over raw JSON objects."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from reports.recount_columns import Answer, Mask
from reports.recount_rows import Fields, Rows

Number = float | str | None
Pairs = Iterator[tuple[str, Number]]
_DEATHS = {"crashed", "failed", "backoff"}
_NO_SERVER_ERROR = ("timeout", "http_4xx")
_LEDGER = ("published", "processed_unique", "dead_lettered", "pending", "redeliveries", "reordered")
_TOTALS = (
    ("delivered", "deliveries"),
    ("dead_lettered", "dead_lettered"),
    ("redeliveries", "redeliveries"),
    ("reordered", "reordered"),
)


def figures(rows: Rows) -> dict[str, Number]:
    """Every figure that the history alone bears."""
    parts = (_run(rows), _engines(rows), _load(rows), _calibration(rows), _bus(rows), _tape(rows))
    return {name: float(value) if isinstance(value, int) else value for part in parts for name, value in part}


def run(rows: Rows) -> Fields | None:
    """The run record, when it is the first."""
    return rows.first if rows.first.get("type") == "run" else None


def loaded_phases(rows: Rows) -> list[str]:
    """Measured phases with load, in the order of their first start."""
    loaded = {record["phase"] for record in rows.of("load_summary")} | set(rows.seconds.phases)
    begun = (record for record in rows.of("phase") if record["measured"] and record["event"] == "start")
    return [name for name in dict.fromkeys(record["name"] for record in begun) if name in loaded]


def failures(record: Fields) -> int:
    """All that failed, of any kind."""
    total: int = sum((record.get("failed") or {}).values())
    return total


def latest(records: Iterable[Fields], *keys: str) -> dict[tuple[str, ...], Fields]:
    """The last record for each combination of the fields, in order of first appearance."""
    return {tuple(record[key] for key in keys): record for record in records}


def gone(row: Fields) -> int:
    """Messages that a consumer's account does not account for."""
    lost: int = row["published"] - (row["processed_unique"] + row["dead_lettered"] + row["pending"])
    return lost


def _run(rows: Rows) -> Pairs:
    begin, end = run(rows), rows.last if rows.last.get("type") == "end" else None
    yield "run.duration_s", (end["mono_ns"] - begin["mono_ns"]) / 1e9 if begin and end else None
    yield "fleet.started", len({record["engine"] for record in rows.of("boot")}) or None
    boots = rows.of("fleet_boot")
    yield "fleet.boot_s", boots[-1]["seconds"] if boots else None
    totals = [sum(sizes.values()) for record in rows.of("memory") if (sizes := record["per_process"])]
    yield "fleet.pss_peak_bytes", max(totals, default=None)


def _engines(rows: Rows) -> Pairs:
    """Survival, availability and answers: of each engine, and of all."""
    begin = run(rows)
    engines: list[str] = begin["engines"] if begin else []
    probes = rows.probes
    last = {engine: found for engine in probes.engines if (found := _final(rows, engine))}
    boots = {record["engine"]: record for record in rows.of("boot")}
    dead = {record["engine"] for record in rows.of("fleet_event") if record["state"].lower() in _DEATHS}
    if begin:
        known = bool(engines) and all(engine in last and engine in boots for engine in engines)
        well = (("healthy", False, boots[engine]["pid"], 0) for engine in engines if known)
        same = (last[engine][0] == want and engine not in dead for engine, want in zip(engines, well, strict=False))
        yield "fleet.alive_at_end", sum(same) if known else None
        yield from _before_faults(rows, engines, {engine: boots[engine]["pid"] for engine in boots})
    judged = {engine: probes.well(probes.chosen(engine=engine) & ~excused(rows, engine)) for engine in probes.engines}
    yield "availability.percent", _share(judged.values())
    yield "idle.response_ms", _average(probes.took_ms(probes.chosen("idle")))
    for engine in engines:
        yield f"engine.{engine}.ready_s", boots[engine]["ready_s"] if engine in boots else None
        yield f"engine.{engine}.idle_response_ms", _average(probes.took_ms(probes.chosen("idle", engine)))
        yield f"engine.{engine}.availability_percent", _share([judged[engine]] if engine in judged else [])
        answer, uptime = last.get(engine, (None, None))
        yield f"engine.{engine}.status_at_end", answer[0] if answer else None
        yield f"engine.{engine}.uptime_s", uptime


def _before_faults(rows: Rows, engines: list[str], pids: dict[str, int]) -> Pairs:
    """How many engines lived when the first fault came."""
    came = [record["mono_ns"] for record in rows.of("fault") if record["event"] == "inject"]
    came += [record["injected_ns"] for record in rows.of("recovery")]
    if not came:
        return
    first = min(came)
    marks = [record["mono_ns"] for record in rows.of("phase") if record["measured"] and record["event"] == "end"]
    begin = max((mark for mark in marks if mark < first), default=first)
    alive = 0
    dead = {
        record["engine"]
        for record in rows.of("fleet_event")
        if record["mono_ns"] < first and record["state"].lower() in _DEATHS
    }
    for engine in engines:
        seen = rows.probes.last(
            rows.probes.chosen(engine=engine) & (begin <= rows.probes.at) & (rows.probes.at < first)
        )
        if seen is None or engine not in pids:
            yield "fleet.alive_before_faults", None
            return
        alive += seen[0] == ("healthy", False, pids[engine], 0) and engine not in dead
    yield "fleet.alive_before_faults", alive if engines else None


def _final(rows: Rows, engine: str) -> tuple[Answer, float | None] | None:
    """What the last probe after the last measured phase found, and the uptime it was told."""
    ends = [record["mono_ns"] for record in rows.of("phase") if record["measured"] and record["event"] == "end"]
    return rows.probes.last(rows.probes.chosen(engine=engine) & (rows.probes.at >= max(ends))) if ends else None


def excused(rows: Rows, engine: str) -> Mask:
    """Which probes, of whatever engine, lie within the window of a fault that touched this one."""
    at = rows.probes.at
    inside: Mask = np.zeros(at.size, np.bool_)
    for record in rows.of("recovery"):
        if engine in record["engines"]:
            regained = record.get("regained_ns")
            inside |= (record["injected_ns"] <= at) & (True if regained is None else at <= regained)
    return inside


def _share(parts: Iterable[tuple[int, int]]) -> float | None:
    known = list(parts)
    total = sum(all_ for _, all_ in known)
    return 100.0 * sum(well for well, _ in known) / total if total else None


def _average(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _load(rows: Rows) -> Pairs:
    phases = loaded_phases(rows)
    measured = [record for record in rows.of("load_summary") if record["phase"] in phases]
    for phase in phases:
        own = [record for record in measured if record["phase"] == phase]
        scopes: dict[str, list[Fields]] = {}
        for record in own:
            scopes.setdefault(record["engine"], []).append(record)
        scopes["all"] = own
        for scope, records in scopes.items():
            yield from ((f"load.{phase}.{scope}.{name}", value) for name, value in _sums(records))
        yield f"load.{phase}.all.rps_stressed", rows.seconds.stressed(phase)
        yield from _generator(rows, phase)
        held = [record["at_peak"] for record in rows.of("connections") if record["phase"] == phase]
        yield f"connections.{phase}.at_peak", min(held, default=None)
        busy = sorted(record["cores"] for record in rows.of("other_programs") if record["phase"] == phase)
        if busy:
            yield f"others.{phase}.cores", busy[-1]
    begin = run(rows)
    pairs = {(record["phase"], record["engine"]) for record in measured}
    asked: dict[str, list[str]] = {record["phase"]: record["engines"] for record in rows.of("load_targets")}
    every: list[str] = begin["engines"] if begin else []
    due = [(phase, engine) for phase in phases for engine in asked.get(phase, every)]
    whole = begin and phases and pairs.issuperset(due)
    kinds = Counter[str]()
    for record in measured:
        kinds.update(record.get("failed") or {})
    errors = kinds.total() - sum(kinds[kind] for kind in _NO_SERVER_ERROR)
    yield "load.server_errors", errors if whole else None


def processes(rows: Rows, phase: str) -> list[Fields]:
    """The generator's processes in a phase, each by its last record."""
    own = [record for record in rows.of("generator") if record["phase"] == phase]
    return [*{record.get("process", 0): record for record in own}.values()]


def _generator(rows: Rows, phase: str) -> Pairs:
    own = processes(rows, phase)
    yield f"generator.{phase}.cpu_percent", sum(100.0 * record["cpu_share"] for record in own) if own else None
    yield f"generator.{phase}.stall_max_ms", max((record["stall_max_ms"] for record in own), default=None)
    last = [record for record in rows.of("generator") if record["phase"] == phase][-1:]
    yield f"generator.{phase}.processes", last[0].get("processes", 1) if last else None
    if last and last[0].get("bodies_checked") is not None:
        for field in ("bodies_checked", "bodies_unchecked"):
            yield f"generator.{phase}.{field}", last[0].get(field)


def _sums(records: list[Fields]) -> Pairs:
    """The figures of one scope; all unknown without a summary."""
    for field in ("scheduled", "done", "unsent"):
        yield field, sum(record[field] for record in records) if records else None
    yield "errors", sum(map(failures, records)) if records else None
    seconds = max((record["seconds"] for record in records), default=0.0)
    yield "rps", sum(record["done"] for record in records) / seconds if seconds else None


def _calibration(rows: Rows) -> Pairs:
    for (mix,), record in latest(rows.of("calibration"), "mix").items():
        yield f"calibration.{mix}.capacity_rps", record["rate_rps"]
        yield f"calibration.{mix}.r_max_rps", record["r_max_rps"]
        own = [item["errors"] for item in rows.of("calibration") if item["mix"] == mix]
        yield f"calibration.{mix}.errors", sum(own)


def _bus(rows: Rows) -> Pairs:
    accounts = latest(rows.of("ledger"), "bus", "topic", "consumer")
    for name, row in accounts.items():
        for field in _LEDGER:
            yield f"bus.{'.'.join(name)}.{field}", row[field]
        yield f"bus.{'.'.join(name)}.lost", gone(row)
    begin = run(rows)
    declared = (begin or {}).get("expect", {}).get("ledger", [])
    told = all((want["bus"], want["topic"], want["consumer"]) in accounts for want in declared)
    yield "bus.lost", sum(abs(gone(row)) for row in accounts.values()) if declared and told else None
    topics: dict[tuple[str, ...], list[Fields]] = {}
    for name, row in accounts.items():
        topics.setdefault(name[:2], []).append(row)
    some = bool(accounts)
    yield "bus.published", sum(max(row["published"] for row in own) for own in topics.values()) if some else None
    for figure, field in _TOTALS:
        yield f"bus.{figure}", sum(row[field] for row in accounts.values()) if some else None
    window = max((row["seconds"] for row in accounts.values()), default=0.0)
    least = sum(min(row["processed_unique"] for row in own) for own in topics.values())
    yield "bus.rate_msgs_s", least / window if window else None


def _tape(rows: Rows) -> Pairs:
    tapes = rows.of("tape")
    tape = tapes[-1] if tapes else None
    pins = tape["pins"] if tape else []
    yield "tape.digest", tape["digest"] if tape else None
    yield "tape.ticks", tape["ticks"] if tape else None
    yield "tape.pins", len(pins) if tape else None
    yield "tape.pins_held", sum(pin["target"] == pin["got"] for pin in pins) if tape else None
    for (scenario,), each in latest(tapes, "scenario").items() if len(tapes) > 1 else ():
        met = [pin for pin in each["pins"] if pin["target"] == pin["got"]]
        counts = {"ticks": each["ticks"], "pins": len(each["pins"]), "pins_held": len(met), "digest": each["digest"]}
        yield from ((f"tape.{scenario}.{name}", value) for name, value in counts.items())
    begin = run(rows)
    expect = (begin or {}).get("expect", {})
    wanted = expect.get("halts", [])
    dated = all(halt.get("day") for halt in wanted)
    declared, seen = _halts(wanted, dated), _halts(rows.of("halt"), dated)
    watched = {record["subject"]: record["seen"] for record in rows.of("observer")}
    known = watched.get("halts") == seen.total()
    yield "halts.declared", declared.total() if begin else None
    yield "halts.observed", seen.total() if known else None
    yield "halts.missing", sum(max(declared[key] - seen[key], 0) for key in declared) if known else None
    yield "halts.unexpected", sum(max(seen[key] - declared[key], 0) for key in seen) if known else None
    alerts = [record["kind"] for record in rows.of("alert")]
    told = begin is not None and watched.get("alerts") == len(alerts)
    yield "alerts.missing", len(set(expect.get("alerts", [])).difference(alerts)) if told else None
    yield "alerts.unexpected", len(set(alerts).difference(expect.get("alerts", []))) if told else None


def _halts(halts: Iterable[Fields], dated: bool) -> Counter[tuple[object, ...]]:
    """By kind, level and symbol, and by day where each declared one has its day; a halt's own day is UTC's."""
    keys = ((halt["kind"], halt.get("level"), halt.get("symbol"), halt) for halt in halts)
    return Counter((*key, (halt.get("day") or _day(halt["start_ns"])) if dated else None) for *key, halt in keys)


def _day(ns: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(ns // 10**9))
