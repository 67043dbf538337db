"""The second path to the verdicts: the criteria's rules written again as a table over recounted figures."""

import json
from collections import Counter
from collections.abc import Callable

from reports import recount_hdr
from reports.recount import PER_MS, Database, Number
from reports.recount_hdr import HdrLogs
from reports.recount_sql import DISAGREEMENTS

ORDER = ("EXCEEDED", "ACHIEVED", "NOT AVAILABLE", "UNKNOWN", "INVALID", "MISSED")
_FIXED: dict[str, tuple[str, str, float, str]] = {
    "availability": ("availability.percent", ">", 99.0, ""),
    "normal-response": ("idle.response_ms", "<", 10.0, ""),
    "zero-loss": ("bus.lost", "=", 0.0, "bus"),
    "server-errors": ("load.server_errors", "=", 0.0, "load"),
    "bus-rate": ("bus.rate_msgs_s", ">", 1000.0, "bus"),
    "expected-alerts": ("alerts.missing", "=", 0.0, "halts"),
    "recovery-complete": ("recovery.missing", "=", 0.0, ""),
    "faults-proven": ("faults.unproven", "=", 0.0, ""),
    "recovery-p95": ("recovery.regain_p95_s", "<=", 3.0, ""),
    "pss": ("fleet.pss_peak_bytes", "<=", 1.2e9, "memory"),
}
"""Criteria over one figure: figure, comparison, target, the records whose disagreement makes it INVALID."""

Found = tuple[float | None, str, float | None, str]
"""A criterion's value, comparison, own target and subject."""


class Verdicts:
    """Recomputes verdicts from recounted figures and the raw history."""

    def __init__(self, logs: HdrLogs, db: Database, figures: dict[str, Number]) -> None:
        self._logs = logs
        self._db = db
        self._figures = figures
        self._run = json.loads(str(db.execute("SELECT j FROM run").fetchall()[0][0]))
        self._phases = [str(row[0]) for row in db.execute("SELECT name FROM loaded_phases ORDER BY n").fetchall()]
        self._whole = self._is_whole()
        self._contrary = self._disagreeing()
        lacking = db.execute("SELECT j->>'criterion', j->>'why' FROM h WHERE type = 'unavailable' ORDER BY n")
        self._lacking = {str(name): str(why) for name, why in lacking.fetchall()}

    def all(self) -> dict[str, tuple[str, float | None, float | None]]:
        """Verdict, measured value and target of each criterion that the run judges."""
        found = {wanted["id"]: self._judge(wanted["id"], wanted["target"]) for wanted in self._run["criteria"]}
        return {name: item for name, item in found.items() if item is not None}

    def overall(self) -> str:
        """The worst of them."""
        worst = [ORDER.index(verdict) for verdict, *_ in self.all().values()]
        return ORDER[max(worst)] if worst else "UNKNOWN"

    def _judge(self, name: str, asked: float | None) -> tuple[str, float | None, float | None] | None:
        found = self._find(name)
        if found is None:
            return ("NOT AVAILABLE" if name in self._lacking else "UNKNOWN"), None, asked
        value, comparison, own, subject = found
        target = asked if asked is not None else own
        if name == "tick-to-risk" and asked is None:
            return None
        verdict = self._compare(name, value, comparison, target)
        if subject in self._contrary and verdict != "MISSED":
            verdict = "INVALID"
        if value is None and name in self._lacking:
            verdict = "NOT AVAILABLE"
        if not self._whole and verdict in {"EXCEEDED", "ACHIEVED"}:
            verdict = "UNKNOWN"
        return verdict, value, target

    def _compare(self, name: str, value: float | None, comparison: str, target: float | None) -> str:
        if value is None or target is None:
            return "UNKNOWN"
        tests: dict[str, Callable[[float, float], bool]] = {
            ">": lambda a, b: a > b,
            ">=": lambda a, b: a >= b,
            "<": lambda a, b: a < b,
            "<=": lambda a, b: a <= b,
            "=": lambda a, b: a == b,
        }
        if not tests[comparison](value, target):
            return "INVALID" if name in {"generator-valid", "faults-proven"} else "MISSED"
        if comparison == "=" or name == "generator-valid":
            return "ACHIEVED"
        if name == "availability":
            twice = 100.0 - value <= (100.0 - target) / 2
        else:
            twice = value >= 2 * target if comparison in {">", ">="} else value <= target / 2
        return "EXCEEDED" if twice else "ACHIEVED"

    def _find(self, name: str) -> Found | None:
        if name in _FIXED:
            figure, comparison, target, subject = _FIXED[name]
            return self._value(figure), comparison, target, subject
        if name == "engines-alive":
            return self._value("fleet.alive_at_end"), "=", float(len(self._run["engines"])), ""
        if name in {"healthy-at-end", "generator-valid"}:
            return self._healthy() if name == "healthy-at-end" else self._generator()
        if name == "connections":
            held = [self._value(f"connections.{phase}.at_peak") for phase in self._phases]
            return _all(held, min), ">=", 5000.0, ""
        if name == "throughput":
            rates = [self._value(f"load.{phase}.all.rps_stressed") for phase in self._phases]
            return min((rate for rate in rates if rate is not None), default=None), ">=", 4000.0, "load"
        if name == "expected-halts":
            return _all([self._value("halts.missing"), self._value("halts.unexpected")], sum), "=", 0.0, "halts"
        if name == "tick-to-risk":
            hops = [key for key in self._figures if key.startswith("hop.") and key.endswith(".tick-to-risk.p99_ms")]
            return _all([self._value(key) for key in hops], max), "<=", None, "hops"
        return None

    def _healthy(self) -> Found:
        states = [self._figures.get(f"engine.{engine}.status_at_end") for engine in self._run["engines"]]
        known = bool(states) and all(state is not None for state in states)
        return (float(states.count("healthy")) if known else None), "=", float(len(states)), ""

    def _generator(self) -> Found:
        worst: tuple[float, float, float] | None = None
        for phase in self._phases:
            lag, p99 = self._value(f"generator.{phase}.lag_p99_ms"), self._value(f"load.{phase}.all.p99_ms")
            if lag is None or p99 is None:
                return None, "<=", None, "load"
            limit = max(5.0, p99 / 10.0)
            worst = max(worst or (lag / limit, lag, limit), (lag / limit, lag, limit))
        return (worst[1], "<=", worst[2], "load") if worst else (None, "<=", None, "load")

    def _value(self, name: str) -> float | None:
        value = self._figures.get(name)
        return value if isinstance(value, float) else None

    def _is_whole(self) -> bool:
        last = self._db.execute("SELECT j->>'status' FROM the_end").fetchall()
        uneven = self._db.execute(
            "SELECT name FROM phase GROUP BY name HAVING count(*) FILTER (event = 'start') <> "
            "count(*) FILTER (event = 'end')"
        ).fetchall()
        return [row[0] for row in last] == ["complete"] and not uneven

    def _disagreeing(self) -> set[str]:
        found = {name for name, query in DISAGREEMENTS.items() if self._db.execute(query).fetchall()[0][0]}
        for hlog, scheduled in self._db.execute("SELECT hlog, scheduled FROM load_summary").fetchall():
            total = self._logs.counts(str(hlog))
            if total is not None and total.total() != scheduled:
                found.add("load")
        for hlog, count in self._db.execute("SELECT hlog, count FROM hop").fetchall():
            total = self._logs.counts(str(hlog))
            if total is not None and total.total() != count:
                found.add("hops")
        query = "SELECT lag_hlog, hlog_unit, lag_p50_ms, lag_p99_ms, lag_max_ms FROM generator"
        for hlog, unit, *stated in self._db.execute(query).fetchall():
            total = self._logs.counts(str(hlog))
            for rank, said in zip((50.0, 99.0, 100.0), stated, strict=True) if total else ():
                logged = recount_hdr.percentile(total or Counter(), rank) / PER_MS[str(unit)]
                if abs(logged - float(str(said))) > max(0.01 * logged, 0.01):
                    found.add("load")
        return found


def _all(values: list[float | None], fold: Callable[[list[float]], float]) -> float | None:
    known = [value for value in values if value is not None]
    return fold(known) if known and len(known) == len(values) else None
