"""A Report as OpenMetrics text (version 1.0.0): every figure that is a number, and every verdict as a state set."""

from collections.abc import Iterable

from reports.criteria import Verdict
from reports.model import Report


def render(report: Report) -> str:
    """The exposition. An UNKNOWN figure has no sample: absent is not zero."""
    lines = [
        "# TYPE nautilus_figure gauge",
        "# HELP nautilus_figure A figure of the report, by its id and unit.",
        *(
            f"nautilus_figure{_labels(run=report.name, id=figure.id, unit=figure.unit)} {_number(figure.number)}"
            for figure in report.figures
            if figure.number is not None
        ),
        "# TYPE nautilus_verdict stateset",
        "# HELP nautilus_verdict The verdict of each criterion.",
        *(line for item in report.criteria for line in _states(report.name, item.id, item.verdict)),
        "# TYPE nautilus_run_verdict stateset",
        "# HELP nautilus_run_verdict The worst of the criteria's verdicts.",
        *_run_states(report),
        "# TYPE nautilus_run_whole gauge",
        "# HELP nautilus_run_whole Whether the record is that of a whole run.",
        f"nautilus_run_whole{_labels(run=report.name)} {int(report.gap is None)}",
        "# EOF",
    ]
    return "\n".join(lines) + "\n"


def _states(run: str, criterion: str, verdict: Verdict) -> Iterable[str]:
    for state in Verdict:
        yield f"nautilus_verdict{_labels(run=run, criterion=criterion, nautilus_verdict=state.label)} " + (
            "1" if state is verdict else "0"
        )


def _run_states(report: Report) -> Iterable[str]:
    for state in Verdict:
        labels = _labels(run=report.name, nautilus_run_verdict=state.label)
        yield f"nautilus_run_verdict{labels} {int(state is report.verdict)}"


def _labels(**pairs: str) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float | None) -> str:
    return repr(value)
