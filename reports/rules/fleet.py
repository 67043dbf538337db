"""Criteria of the fleet: alive, available, quick, small."""

from reports.rules.rule import Case, Measured, Rule, figure_of


def _alive(case: Case) -> Measured:
    """At the end; in a run that injects faults, before the first of them, which recovery judges."""
    before = "fleet.alive_before_faults"
    figure = case.figures[before if before in case.figures.by_id else "fleet.alive_at_end"]
    return Measured(figure.number, (figure,), target=float(len(case.run.engines)))


def _healthy_at_end(case: Case) -> Measured:
    figures = tuple(case.figures[f"engine.{engine}.status_at_end"] for engine in case.run.engines)
    known = [figure.value for figure in figures if figure.value is not None]
    healthy = float(sum(value == "healthy" for value in known)) if known and len(known) == len(figures) else None
    return Measured(healthy, figures, target=float(len(case.run.engines)))


RULES: dict[str, Rule] = {
    "engines-alive": Rule("Flash-crash resilience: engines alive", "engines", "equal", None, _alive, "health"),
    "availability": Rule(
        "Engine availability", "%", "above", 99.0, figure_of("availability.percent"), "health", ceiling=100.0
    ),
    "normal-response": Rule("Normal response time", "ms", "below", 10.0, figure_of("idle.response_ms")),
    "healthy-at-end": Rule("Engines healthy at the end", "engines", "equal", None, _healthy_at_end, "health"),
    "pss": Rule(
        "Proportional memory of the fleet", "bytes", "at most", 1.2e9, figure_of("fleet.pss_peak_bytes"), "memory"
    ),
}
