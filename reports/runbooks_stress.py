"""Runbook: an engine or the whole fleet is slow, or answers errors, under load."""

from reports.figures import Figure
from reports.measures.load import ALL, loaded_phases
from reports.model import Cell, Claim, Report
from reports.runbook import NO_LIMIT, Runbook, Step, limits, missed

_CRITERIA = ("availability", "normal-response", "server-errors", "generator-valid", "connections", "throughput")


def book(report: Report) -> Runbook | None:
    """None for a run that loaded nothing."""
    phases = loaded_phases(report.history)
    if not phases:
        return None
    phase = phases[-1]
    engine, worst = _slowest(report, phase)
    return Runbook(
        title="High-stress handling",
        purpose=Claim("For when requests pile up, slow down or fail. Compare what you see with these figures."),
        thresholds=(*limits(report.criteria, *_CRITERIA), *_figures(report, phase)),
        signatures=(*missed(report.criteria, *_CRITERIA), *_signatures(report, phase, engine, worst)),
        steps=_steps(report, engine, worst),
    )


def _slowest(report: Report, phase: str) -> tuple[str, Figure]:
    engines = report.history.run.engines if report.history.run else []
    timed = [(report.figures[f"load.{phase}.{engine}.p99_ms"], engine) for engine in engines]
    known = [(figure.number, engine, figure) for figure, engine in timed if figure.number is not None]
    if not known:
        return (engines[0] if engines else ALL), report.figures[f"load.{phase}.{ALL}.p99_ms"]
    _, engine, figure = max(known, key=lambda item: (item[0], item[1]))
    return engine, figure


def _figures(report: Report, phase: str) -> tuple[tuple[str, Cell, Cell], ...]:
    figures = report.figures
    mixes = [item.id.split(".")[1] for item in figures if item.id.endswith(".capacity_rps")]
    capacity = [
        (f"Capacity, {mix}", figures[f"calibration.{mix}.capacity_rps"], figures[f"calibration.{mix}.r_max_rps"])
        for mix in mixes
    ]
    named = {"p50": "p50_ms", "p99": "p99_ms", "p99.9": "p999_ms", "longest": "max_ms"}
    latency = [(f"Latency, {word}", figures[f"load.{phase}.{ALL}.{field}"], NO_LIMIT) for word, field in named.items()]
    return (*capacity, *latency)


def _signatures(report: Report, phase: str, engine: str, worst: Figure) -> list[Claim]:
    figures = report.figures
    found = []
    errors, unsent = figures[f"load.{phase}.{ALL}.errors"], figures[f"load.{phase}.{ALL}.unsent"]
    if errors.number or unsent.number:
        words = "Under load {errors} failed and {unsent} were due and never sent."
        found.append(Claim(words, {"errors": errors, "unsent": unsent}))
    idle = figures[f"engine.{engine}.idle_response_ms"]
    if worst.number is not None and idle.number is not None and worst.number > idle.number:
        words = "{engine} was the slowest: p99 {worst} under load against {idle} at rest."
        found.append(Claim(words, {"engine": engine, "worst": worst, "idle": idle}))
    return found


def _steps(report: Report, engine: str, worst: Figure) -> tuple[Step, ...]:
    figures, run = report.figures, report.history.run
    own = {"engine": engine}
    idle, threads = figures["idle.response_ms"], figures[f"process.{engine}.threads_max"]
    cpu, memory = figures[f"process.{engine}.cpu_mean_percent"], figures[f"process.{engine}.rss_max_bytes"]
    steps = [
        Step(Claim("See who is not healthy, and who answers slower than the {idle} of rest.", {"idle": idle}),
             "nautilus health"),
        Step(Claim("See who uses more than here: {engine} took {cpu} of a core on average, at most {memory} and "
                   "{threads}.", {**own, "cpu": cpu, "memory": memory, "threads": threads}), "nautilus status"),
        Step(Claim("Find the root of the trouble, beginning at the engine that was the slowest here.", own),
             "nautilus why {engine}", own),
        Step(Claim("Read what it wrote: time-outs, stalls, refusals."),
             "nautilus logs {engine} --grep 'ERROR|WARNING|stall|timeout'", own),
        Step(Claim("If its p99 stays above {worst} after the load has gone, start it again.", {"worst": worst}),
             "nautilus restart {engine}", own, changes=True),
        Step(Claim("See that it came back."), "nautilus wait {engine} --for healthy", own),
    ]  # fmt: skip
    if run is not None:
        again = {"mission": run.mission, "seed": str(run.seed)}
        every = {"mission": run.mission, "figure": f"load.*.{ALL}.p99_ms"}
        steps += [
            Step(Claim("See whether it has crept up: the percentiles of the runs before."),
                 "nautilus report trend --mission {mission} --figure {figure}", every),
            Step(Claim("Plan the same load again; without the last word, a fleet of its own is started for it."),
                 "nautilus stress {mission} --seed {seed} --dry-run", again),
        ]  # fmt: skip
    return tuple(steps)
