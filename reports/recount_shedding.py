"""The second path to the figures of shedding: raw seconds of load, and an account of its own of who began when."""

from collections.abc import Iterable

from reports.recount_figures import Number, loaded_phases
from reports.recount_rows import Rows

Asked = tuple[float | None, str, float | None, str]
NAME = "shedding-order"


def figures(rows: Rows) -> dict[str, Number]:
    """All of them, of every measured phase with seconds."""
    found: dict[str, Number] = {}
    for phase in loaded_phases(rows):
        engines = {engine for loaded, engine in rows.seconds.sums if loaded == phase}
        began = {engine: min(bad) for engine in sorted(engines) if (bad := rows.seconds.bad(phase, engine))}
        found |= {f"shed.{phase}.{engine}.second": float(second) for engine, second in began.items()}
        if engines:
            found[f"shed.{phase}.engines"] = float(len(began))
        if "risk" in engines:
            gone = [engine for engine, second in began.items() if "risk" in began and second <= began["risk"]]
            found[f"shed.{phase}.kept_after_risk"] = float(len(engines) - len(gone)) if gone else 0.0
    return found


def found(name: str, figures: dict[str, Number], phases: Iterable[str], struck: set[str]) -> Asked | None:
    """Value, comparison, own target and subject of the criterion; None for another one."""
    if name != NAME:
        return None
    calm = [phase for phase in phases if phase not in struck and f"shed.{phase}.kept_after_risk" in figures]
    overloaded = any(figures[f"shed.{phase}.engines"] for phase in calm)
    kept = [value for phase in calm if isinstance(value := figures[f"shed.{phase}.kept_after_risk"], float)]
    return (max(kept) if overloaded else None), "=", 0.0, "load"
