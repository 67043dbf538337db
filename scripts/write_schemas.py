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
from reports.records import AnyRecord

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"


def _document(title: str, types: Iterable[Any], **more: Any) -> dict[str, Any]:
    refs, components = msgspec.json.schema_components(tuple(types), ref_template="#/$defs/{name}")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, "anyOf": list(refs), **more} | {
        "$defs": dict(sorted(components.items()))
    }


def schemas() -> dict[str, bytes]:
    """File name to content."""
    made = {
        "messages.json": _document("Headers and bodies on the buses", (Header, *MARKET, *MAIN), topics=TOPICS),
        "history.json": _document("Records of history.jsonl", (AnyRecord,)),
        "health.json": _document("GET /health", (HealthReport,)),
    }
    return {name: msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n" for name, value in made.items()}


def main() -> None:
    """Write all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in schemas().items():
        (FOLDER / name).write_bytes(content)


if __name__ == "__main__":
    main()
