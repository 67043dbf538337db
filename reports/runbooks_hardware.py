"""Runbook: what the machine gives, what the fleet takes of it, and what to give it more of."""

from reports.figures import Figure
from reports.model import Cell, Claim, Report
from reports.records import Host, Unavailable
from reports.runbook import NO_LIMIT, Runbook, Step, limits, missed

_CRITERIA = ("pss", "generator-valid", "hardware", "connections")
_PROCESS = "process."


def book(report: Report) -> Runbook | None:
    """None for a run that neither names its host nor sampled it."""
    if not report.history.of(Host) and _busiest(report) is None:
        return None
    return Runbook(
        title="Hardware optimisation",
        purpose=Claim("For when the machine is the limit: which part of it, who takes it, and what to change."),
        thresholds=(*limits(report.criteria, *_CRITERIA), *_figures(report)),
        signatures=(*missed(report.criteria, *_CRITERIA), *_signatures(report)),
        steps=_steps(report),
    )


def _busiest(report: Report) -> tuple[str, Figure] | None:
    ending = ".cpu_mean_percent"
    used = [item for item in report.figures if item.id.startswith(_PROCESS) and item.id.endswith(ending)]
    known = [(item.number, item.id, item) for item in used if item.number is not None]
    if not known:
        return None
    _, name, figure = max(known, key=lambda entry: (entry[0], entry[1]))
    return name.removeprefix(_PROCESS).removesuffix(ending), figure


def _figures(report: Report) -> list[tuple[str, Cell, Cell]]:
    figures = report.figures
    hosts = report.history.of(Host)
    memory: Cell = Figure("host.memory", hosts[-1].memory_bytes, "bytes", "of the host's record") if hosts else NO_LIMIT
    rows: list[tuple[str, Cell, Cell]] = [
        ("Processors of the host, mean", figures["host.cpu_mean_percent"], NO_LIMIT),
        ("Memory of the host in use, most", figures["host.memory_max_bytes"], memory),
        ("Memory of the fleet (proportional), most", figures["fleet.pss_peak_bytes"], NO_LIMIT),
        ("Boot of the fleet", figures["fleet.boot_s"], NO_LIMIT),
    ]
    files = [item for item in figures if item.id.endswith(".fds_max") and item.number is not None]
    if files:
        most = max(files, key=lambda item: (item.number or 0.0, item.id))
        rows.append((f"Open files, most ({most.id.split('.')[1]})", most, NO_LIMIT))
    return rows


def _signatures(report: Report) -> list[Claim]:
    found = [
        Claim("Not available here: {what}, since {why}.", {"what": record.criterion, "why": record.why})
        for record in report.history.of(Unavailable)
    ]
    busiest = _busiest(report)
    if busiest is not None:
        words = (
            "{process} took the most processor time: {cpu} of one core on average, so it meets that core's end first."
        )
        found.append(Claim(words, {"process": busiest[0], "cpu": busiest[1]}))
    return found


def _steps(report: Report) -> tuple[Step, ...]:
    figures, run = report.figures, report.history.run
    busiest = _busiest(report)
    slots: dict[str, Cell] = {"memory": figures["fleet.pss_peak_bytes"]}
    steps = [
        Step(Claim("See what the machine lacks: limits of files, memory, clock, ports."), "nautilus doctor"),
        Step(Claim("See who takes processor and memory now; here the fleet took {memory} at most.", slots),
             "nautilus status"),
        Step(Claim("See which settings are in force, and where each comes from."), "nautilus config show"),
    ]  # fmt: skip
    engines = run.engines if run is not None else []
    if busiest is not None and busiest[0] in engines:
        own = {"engine": busiest[0]}
        steps.append(
            Step(Claim("Ask {engine}, the busiest here, for its own report.", own), "nautilus health {engine}", own)
        )
    steps.append(
        Step(Claim("After a change of settings, see the order of a restart; without the last word it is done."),
             "nautilus restart --rolling --dry-run")
    )  # fmt: skip
    if run is not None:
        own = {"mission": run.mission, "figure": "fleet.*"}
        steps.append(
            Step(Claim("See what the change has brought, over the runs of this mission."),
                 "nautilus report trend --mission {mission} --figure {figure}", own)
        )  # fmt: skip
    return tuple(steps)
