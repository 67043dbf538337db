"""The second path to the figures of single requests: raw JSON objects, and an own decoder of HDR logs."""

from collections import Counter

from reports import recount_hdr
from reports.recount_figures import Number, loaded_phases
from reports.recount_hdr import HdrLogs
from reports.recount_rows import Fields, Rows

_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0}
_RANKS = {"p50_ms": 50.0, "p99_ms": 99.0, "p999_ms": 99.9, "max_ms": 100.0}
_TOLD = ("request", "engine", "outcome", "reason")
_LONGEST_MS = 60_000.0  # that a log of ours tells apart


def figures(rows: Rows, logs: HdrLogs) -> dict[str, Number]:
    """Service times of each engine and of all, and the requests that stand for a phase."""
    found: dict[str, Number] = {}
    for phase in loaded_phases(rows):
        scopes: dict[str, list[Fields]] = {}
        for record in rows.of("load_summary"):
            if record["phase"] == phase and record.get("service_hlog"):
                for scope in (record["engine"], "all"):
                    scopes.setdefault(scope, []).append(record)
        for scope, records in scopes.items():
            for field, value in _service(records, logs).items():
                found[f"load.{phase}.{scope}.service_{field}"] = value
        for record in rows.of("exemplar"):
            if record["phase"] == phase:
                prefix = f"exemplar.{phase}.{record['which']}"
                found |= {
                    f"{prefix}.{field}": record[field] for field in _TOLD if record.get(field) or field != "reason"
                }
                found[f"{prefix}.latency_ms"] = record["latency_ms"]
    return found


def _service(records: list[Fields], logs: HdrLogs) -> dict[str, Number]:
    merged = Counter[int]()
    units = {record.get("hlog_unit", "us") for record in records}
    for record in records:
        counts = logs.counts(record["service_hlog"]) or Counter[int]()
        if counts.total() != record["sent"]:
            return dict.fromkeys(_RANKS)
        recount_hdr.add(merged, counts)
    if len(units) != 1 or not merged:
        return dict.fromkeys(_RANKS)
    scale = _MS[units.pop()]
    values = recount_hdr.percentiles(merged, [*_RANKS.values()])
    return {field: value * scale for field, value in zip(_RANKS, values, strict=True)}


def differ(rows: Rows, logs: HdrLogs) -> bool:
    """Whether the records of single requests contradict the summaries and logs of their phase."""
    for record in rows.of("load_summary"):
        counts = logs.counts(record["service_hlog"]) if record.get("service_hlog") else None
        if counts is not None and counts.total() != record["sent"]:
            return True
    for record in rows.of("exemplar"):
        own = [item for item in rows.of("load_summary") if item["phase"] == record["phase"]]
        if record["which"] == "first-failed":
            told = record["outcome"]
            if not any((item.get("failed") or {}).get(told) for item in own if item["engine"] == record["engine"]):
                return True
            continue
        tops = [(counts, item) for item in own if (counts := logs.counts(item["hlog"]))]
        most = [recount_hdr.percentiles(counts, [100.0])[0] * _MS[item.get("hlog_unit", "us")] for counts, item in tops]
        if most and abs(min(record["latency_ms"], _LONGEST_MS) - max(most)) > max(max(most) / 100.0, 0.01):
            return True
    return False
