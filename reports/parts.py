"""The parts of a run that have a result file of their own, and the figures that belong to each."""

from typing import Literal

from reports.figures import Figures

Part = Literal["messagebus", "backtesting"]
PARTS: dict[Part, tuple[str, ...]] = {
    "messagebus": ("bus.", "busbench.", "hop.", "replay.", "staleness."),
    "backtesting": ("backtests.",),
}
"""How the ids of a part's figures begin."""


def present(figures: Figures) -> tuple[Part, ...]:
    """The parts of which the run measured anything."""
    return tuple(
        part
        for part, starts in PARTS.items()
        if any(figure.id.startswith(starts) and figure.value is not None for figure in figures)
    )


def file_name(part: Part, stamp: str) -> str:
    """The name of its result file."""
    return f"{part}_stress_test_results_{stamp}.json"
