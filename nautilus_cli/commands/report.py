"""`nautilus report`: its commands are imported when one of them is run."""

from typing import ClassVar

import typer

from nautilus_cli.lazy import Entry, LazyGroup

_ABOUT = "List, show, render and verify the runs of missions."


class Report(LazyGroup):
    """`nautilus report`."""

    entries: ClassVar[dict[str, dict[str, Entry]]] = {
        "One run": {
            "show": Entry("report_runs", "Show a run's verdict and criteria, made anew from the records.", part=True),
            "render": Entry("report_runs", "Write a run's documents anew from its records.", part=True),
            "open": Entry("report_open", "Open a run's page in the desktop's browser."),
            "verify": Entry("report_runs", "Recompute every figure from the records.", part=True),
        },
        "Several": {
            "list": Entry("report_runs", "List the runs, oldest first.", part=True),
            "compare": Entry("report_runs", "Compare two runs, figure by figure.", part=True),
            "trend": Entry("report_runs", "Follow figures over the newest runs of a mission.", part=True),
        },
    }


app = typer.Typer(cls=Report, add_completion=False, rich_markup_mode=None, help=_ABOUT)


@app.callback()
def report() -> None:
    """Options of `nautilus report` itself: none."""
