"""The second path to the verdicts: the criteria's rules written again as a table over recounted figures."""

from collections import Counter
from collections.abc import Callable

from reports import (
    recount_devices,
    recount_drills,
    recount_hdr,
    recount_invariants,
    recount_requests,
    recount_roles,
    recount_shedding,
    recount_testimony,
    recount_thresholds,
)
from reports.recount import PER_MS
from reports.recount_figures import Number, failures, gone, loaded_phases
from reports.recount_hdr import HdrLogs
from reports.recount_rows import Fields, Rows

ORDER = ("EXCEEDED", "ACHIEVED", "NOT AVAILABLE", "UNKNOWN", "INVALID", "MISSED")
_FIXED: dict[str, tuple[str, str, float, str]] = {
    "availability": ("availability.percent", ">", 99.0, "health"),
    "honest-health": ("health.contradicted", "=", 0.0, ""),
    "prompt-answers": ("load.late", "=", 0.0, "load"),
    "normal-response": ("idle.response_ms", "<", 10.0, ""),
    "zero-loss": ("bus.lost", "=", 0.0, "bus"),
    "server-errors": ("load.server_errors", "=", 0.0, "load"),
    "recovery-complete": ("recovery.missing", "=", 0.0, ""),
    "faults-proven": ("faults.unproven", "=", 0.0, ""),
    "recovery-p95": ("recovery.regain_p95_s", "<=", 3.0, ""),
    "supervisor-recovery": ("recovery.supervisor_worst_s", "<=", 6.0, ""),
    "connectors": ("sources.simulated", ">=", 8.0, "sources"),
    "pss": ("fleet.pss_peak_bytes", "<=", 1.2e9, "memory"),
}
"""Criteria over one figure: figure, comparison, target, the records whose disagreement makes it INVALID."""

Found = tuple[float | None, str, float | None, str]
"""A criterion's value, comparison, own target and subject."""


class Verdicts:
    """Recomputes verdicts from recounted figures and the raw history."""

    def __init__(self, logs: HdrLogs, rows: Rows, figures: dict[str, Number]) -> None:
        """Raises KeyError when the history does not begin with a run."""
        self._logs = logs
        self._rows = rows
        self._figures = figures
        self._run = rows.of("run")[0]
        self._phases = loaded_phases(rows)
        self._struck = _struck(rows)
        self._whole = self._is_whole()
        self._contrary = self._disagreeing()
        self._asked = recount_thresholds.asked(rows)
        self._lacking = {record["criterion"]: record["why"] for record in rows.of("unavailable")}

    def all(self) -> dict[str, tuple[str, float | None, float | None]]:
        """Verdict, measured value and target of each criterion that the run judges."""
        found = {wanted["id"]: self._judge(wanted["id"], wanted.get("target")) for wanted in self._run["criteria"]}
        found |= {name: self._judge(name, None) for name in self._asked}
        return {name: (self._lowered(item[0]), *item[1:]) for name, item in found.items() if item is not None}

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
        if name in {"tick-to-risk", "staleness"} and asked is None:
            return None
        verdict = self._compare(name, value, comparison, target)
        if subject in self._contrary and verdict != "MISSED":
            verdict = "INVALID"
        if value is None and name in self._lacking:
            verdict = "NOT AVAILABLE"
        return verdict, value, target

    def _lowered(self, verdict: str) -> str:
        """What is left of a verdict when the run is not whole."""
        last = self._rows.last
        if (last["type"], last.get("status")) == ("end", "broken"):
            return "INVALID" if verdict in {"EXCEEDED", "ACHIEVED", "UNKNOWN"} else verdict
        return "UNKNOWN" if not self._whole and verdict in {"EXCEEDED", "ACHIEVED"} else verdict

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
            return self._not_met(name, value)
        if name == "hft" and any(self._values("inflight.", ".server_errors")):
            return "MISSED"
        if recount_devices.spoilt(name, self._figures):
            return "MISSED"
        if comparison == "=" or self._of_rig(name):
            return "ACHIEVED"
        if name == "availability" or self._asked.get(name, ("",))[0].endswith(".availability_percent"):
            twice = 100.0 - value <= (100.0 - target) / 2
        else:
            twice = value >= 2 * target if comparison in {">", ">="} else value <= target / 2
        return "EXCEEDED" if twice else "ACHIEVED"

    def _not_met(self, name: str, value: float) -> str:
        if name == "data-sources" and value + self._number("sources.lacking") == self._value("sources.asked"):
            return "NOT AVAILABLE"
        if name == "hardware" and not self._number("hardware.accelerators"):
            return "NOT AVAILABLE"
        disturbed = name == "hft" and any(self._values("search.", ".ended_void"))
        return "INVALID" if disturbed or self._of_rig(name) else "MISSED"

    def _of_rig(self, name: str) -> bool:
        """Whether a miss is the rig's failure, not the system's."""
        asked = self._asked.get(name, ("",))[0]
        rig = {"generator-valid", "faults-proven", "in-flight", "sampler-overhead", "start-state"}
        return name in rig or asked.startswith("generator.")

    def _find(self, name: str) -> Found | None:
        if name in _FIXED or name in self._asked:
            figure, comparison, target, subject = self._asked.get(name) or _FIXED[name]
            return self._value(figure), comparison, target, subject
        if name == "engines-alive":
            when = "before_faults" if "fleet.alive_before_faults" in self._figures else "at_end"
            return self._value(f"fleet.alive_{when}"), "=", float(len(self._run["engines"])), "health"
        if name in {"healthy-at-end", "generator-valid"}:
            return self._healthy() if name == "healthy-at-end" else self._generator()
        if name == "connections":
            held = [self._value(f"connections.{phase}.at_peak") for phase in self._phases]
            return _all(held, min), ">=", 5000.0, ""
        if name == "throughput":
            rates = [self._value(f"load.{phase}.all.rps_stressed") for phase in self._phases]
            return min((rate for rate in rates if rate is not None), default=None), ">=", 4000.0, "load"
        shed = recount_shedding.found(name, self._figures, self._phases, self._struck)
        return shed or self._find_market(name) or self._find_role(name)

    def _find_market(self, name: str) -> Found | None:
        """The criteria of declared events, invariants and latencies of messages."""
        if name in {"expected-halts", "expected-alerts", "expected-denials"}:
            subject = name.removeprefix("expected-")
            parts = [self._value(f"{subject}.{part}") for part in ("missing", "unexpected")]
            return _all(parts, sum), "=", 0.0, "halts"
        if name == "invariants":
            known = self._value("invariants.unknown") == 0 or self._number("invariants.broken") > 0
            return self._value("invariants.broken") if known else None, "=", 0.0, ""
        if name == "staleness":
            return _all(self._values("staleness.", ".share_over_100ms"), max), "<=", None, "hops"
        if name == "tick-to-risk":
            hops = [key for key in self._figures if key.startswith("hop.") and key.endswith(".tick-to-risk.p99_ms")]
            calm = [key for key in hops if not any(key.startswith(f"hop.{phase}.") for phase in self._struck)]
            return _all([self._value(key) for key in calm], max), "<=", None, "hops"
        return None

    def _find_role(self, name: str) -> Found | None:
        """The criteria of sources, speed, backtests and drills."""
        if name == "data-sources":
            known = _all([self._value(f"sources.{part}") for part in ("live", "lacking", "asked")], min)
            return None if known is None else self._value("sources.live"), ">=", 8.0, "sources"
        if name == "hft":
            rates, errors = self._values("search.", ".best_rps"), self._values("inflight.", ".server_errors")
            some = _all(rates, min) if _all(errors, sum) is not None else None
            return some, ">=", 5000.0, "search"
        if name == "in-flight":
            means, goals = self._values("inflight.", ".mean"), self._values("inflight.", ".operations")
            pairs = zip(means, goals, strict=True)
            shares = [mean / goal if mean is not None and goal else None for mean, goal in pairs]
            least = _all(shares, min)
            if least is None:
                return None, ">=", None, "load"
            place = shares.index(least)
            return means[place], ">=", 0.95 * (goals[place] or 0.0), "load"
        if name == "backtests-correct":
            wrong = [self._value("backtests.wrong"), self._value("backtests.unexpected")]
            return _all(wrong, sum) if self._value("backtests.checked") else None, "=", 0.0, "backtests"
        return recount_devices.criterion(name, self._figures) or recount_drills.found(name, self._figures)

    def _values(self, start: str, end: str) -> list[float | None]:
        return [self._value(key) for key in self._figures if key.startswith(start) and key.endswith(end)]

    def _number(self, name: str) -> float:
        return self._value(name) or 0.0

    def _healthy(self) -> Found:
        states = [self._figures.get(f"engine.{engine}.status_at_end") for engine in self._run["engines"]]
        known = bool(states) and all(state is not None for state in states)
        return (float(states.count("healthy")) if known else None), "=", float(len(states)), "health"

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
        last = self._rows.last
        depth = Counter[str]()
        for record in self._rows.of("phase"):
            depth[record["name"]] += 1 if record["event"] == "start" else -1
        return (last["type"], last.get("status")) == ("end", "complete") and not any(depth.values())

    def _disagreeing(self) -> set[str]:
        checks = {
            "load": self._load_differs() or self._lag_differs() or recount_requests.differ(self._rows, self._logs),
            "bus": any(
                row["lost"] != gone(row)
                or row["deliveries"] != row["processed_unique"] + row["dead_lettered"] + row["redeliveries"]
                for row in self._rows.of("ledger")
            ),
            "memory": any(
                record["pss_bytes_total"] != sum(record["per_process"].values()) for record in self._rows.of("memory")
            ),
            "health": recount_testimony.disagree(self._rows),
            "halts": any(record["seen"] != self._recorded(record) for record in self._rows.of("observer")),
            "hops": any(self._logged(record["hlog"], record["count"]) for record in self._rows.of("hop")),
        }
        checks |= recount_roles.disagreements(self._rows, self._logs)
        checks |= recount_devices.disagreements(self._rows, self._logs)
        return {name for name, differs in checks.items() if differs}

    def _recorded(self, observer: Fields) -> int:
        """Events of an observer's subject up to it."""
        if observer["subject"] == "denials":
            return recount_invariants.refused(self._rows, observer["mono_ns"])
        events = self._rows.of("halt" if observer["subject"] == "halts" else "alert")
        return len([event for event in events if event["mono_ns"] <= observer["mono_ns"]])

    def _logged(self, name: str, stated: int) -> bool:
        """Whether a log is there and holds another number of values."""
        total = self._logs.counts(name)
        return total is not None and total.total() != stated

    def _load_differs(self) -> bool:
        seconds = self._rows.seconds.sums
        for record in self._rows.of("load_summary"):
            own = seconds.get((record["phase"], record["engine"]), [0, 0, 0, 0, 0])
            told = [record["scheduled"], record["sent"], record["done"], failures(record), record["unsent"]]
            if told != own or record["scheduled"] != record["done"] + failures(record) + record["unsent"]:
                return True
            if self._logged(record["hlog"], record["scheduled"]):
                return True
        return bool(seconds.keys() - {(record["phase"], record["engine"]) for record in self._rows.of("load_summary")})

    def _lag_differs(self) -> bool:
        for record in self._rows.of("generator"):
            total = self._logs.counts(record["lag_hlog"])
            if not total:
                continue
            logged = recount_hdr.percentiles(total, (50.0, 99.0, 100.0))
            per_ms = PER_MS[record.get("hlog_unit", "us")]
            for value, name in zip(logged, ("lag_p50_ms", "lag_p99_ms", "lag_max_ms"), strict=True):
                if abs(value / per_ms - record[name]) > max(0.01 * value / per_ms, 0.01):
                    return True
        return False


def _all(values: list[float | None], fold: Callable[[list[float]], float]) -> float | None:
    known = [value for value in values if value is not None]
    return fold(known) if known and len(known) == len(values) else None


def _struck(rows: Rows) -> set[str]:
    """Phases during which something was injected."""
    begun: dict[str, int] = {}
    spans: list[tuple[str, int, float]] = []
    for phase in rows.of("phase"):
        if phase["event"] == "start":
            begun[phase["name"]] = phase["mono_ns"]
        elif phase["name"] in begun:
            spans.append((phase["name"], begun.pop(phase["name"]), phase["mono_ns"]))
    spans += [(name, at, float("inf")) for name, at in begun.items()]
    blows = [fault["mono_ns"] for fault in rows.of("fault") if fault["event"] == "inject"]
    return {name for name, start, end in spans if any(start <= at <= end for at in blows)}
