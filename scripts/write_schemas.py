"""Writes the JSON Schemas that other programs rely on: `python scripts/write_schemas.py` into docs/schemas/.

The schemas are frozen: a test compares them with the code.  Run this after a change that is meant, and say in the
changelog what it means for readers of older runs.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from engines.wire.health import HealthReport
from engines.wire.messages import MAIN, MARKET, TOPICS, Header
from nautilus_cli.commands.report_compare import Compared, Trended
from nautilus_cli.commands.report_runs import RunList, Verified
from nautilus_cli.console import Failure
from reports.records import AnyRecord
from reports.render_json import BacktestingJson, MessageBusJson, ResultsJson, RunJson
from reports.seal import Manifest
from stress.plan import MissionPlan

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"

DOCUMENTS = {
    "run": RunJson,
    "results": ResultsJson,
    "messagebus": MessageBusJson,
    "backtesting": BacktestingJson,
    "manifest": Manifest,
    "verify": Verified,
    "runs": RunList,
    "compare": Compared,
    "trend": Trended,
    "plan": MissionPlan,
    "error": Failure,
}
"""Documents of run folders and of the command line, by the name in their ``schema`` field: ``nautilus.<name>/1``."""


def _document(title: str, types: Iterable[Any], **more: Any) -> dict[str, Any]:
    refs, components = msgspec.json.schema_components(tuple(types), ref_template="#/$defs/{name}")
    for name, kind in DOCUMENTS.items():  # a document tells its own name and version
        if kind.__name__ in components:
            components[kind.__name__]["properties"]["schema"] = {"const": f"nautilus.{name}/1"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, "anyOf": list(refs), **more} | {
        "$defs": dict(sorted(components.items()))
    }


def schemas() -> dict[str, bytes]:
    """File name to content."""
    made = {
        "messages.json": _document("Headers and bodies on the buses", (Header, *MARKET, *MAIN), topics=TOPICS),
        "history.json": _document("Records of history.jsonl", (AnyRecord,)),
        "health.json": _document("GET /health", (HealthReport,)),
        **{f"{name}.json": _document(f"nautilus.{name}/1", (kind,)) for name, kind in DOCUMENTS.items()},
    }
    return {name: msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n" for name, value in made.items()}


def main() -> None:
    """Write all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in schemas().items():
        (FOLDER / name).write_bytes(content)


if __name__ == "__main__":
    main()
