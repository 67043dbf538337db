"""`nautilus bus`: its commands are imported when one of them is run."""

from typing import ClassVar

import typer

from nautilus_cli.lazy import Entry, LazyGroup

_ABOUT = "Look at the message buses, or measure them."


class Bus(LazyGroup):
    """`nautilus bus`."""

    entries: ClassVar[dict[str, dict[str, Entry]]] = {
        "The running fleet": {
            "stats": Entry("bus_stats", "Show every topic: entries, ids, and how far behind its consumers are."),
            "tail": Entry("bus_tail", "Print the last messages of a topic, decoded, one JSON document a line."),
            "trace": Entry("bus_trace", "List what one request or one message has caused, from engine to engine."),
        },
        "This machine": {
            "bench": Entry("bus_bench", "Measure two buses of its own, every message counted on both sides."),
        },
    }


app = typer.Typer(cls=Bus, add_completion=False, rich_markup_mode=None, help=_ABOUT)


@app.callback()
def bus() -> None:
    """Options of `nautilus bus` itself: none."""
