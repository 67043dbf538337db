"""`nautilus data`: the bundle, the catalogue and the external sources of market data."""

from typing import ClassVar

import typer

from nautilus_cli.lazy import Entry, LazyGroup


class Data(LazyGroup):
    """`nautilus data`."""

    entries: ClassVar[dict[str, dict[str, Entry]]] = {
        "Market data": {
            "bundle": Entry("data_bundle", "List the stored files, their licences and whether their bytes are right."),
            "show": Entry("data_show", "Show one series: its dates, adjustment, gaps and largest moves."),
            "scenario": Entry("data_scenario", "List the scenarios, or show what one pins and which halts it expects."),
            "import": Entry("data_import", "Take in a CSV, Parquet or LEAN file of your own, checked row by row."),
            "replay": Entry("data_replay", "Replay stored trades through the feeds of the running fleet."),
            "pull": Entry("data_pull", "Fetch a named data set that may not be shipped."),
            "fetch": Entry("data_fetch", "Fetch bars, series, filings and more from an external source."),
            "sources": Entry("data_sources", "Ask the eight external sources, or their simulators, for their state."),
        },
    }


app = typer.Typer(
    cls=Data,
    add_completion=False,
    rich_markup_mode=None,
    help="The bundled prices, your own files, and the external sources.",
)


@app.callback()
def data() -> None:
    """Options of `nautilus data` itself: none."""
