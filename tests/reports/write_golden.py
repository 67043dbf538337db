"""Writes the golden documents of the small run: python -m tests.reports.write_golden."""

import json
import tempfile
from functools import cache
from pathlib import Path

from reports import runs
from tests.reports.conftest import build

FOLDER = Path(__file__).parent / "golden"
RESULTS = "comprehensive_stress_test_results_20260304_100000.json"
FORMATS = ("json", "md", "junit", "openmetrics")


@cache
def documents() -> dict[str, bytes]:
    """Text documents by name."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = build(Path(scratch) / "20260304_100000_flash-crash")
        made = {path.name: path.read_bytes() for path in runs.render(folder, FORMATS, with_plots=False)}
    results = json.loads(made[RESULTS])
    results["records"] = sorted(results["records"])  # digests of files whose bytes are their writers' version's
    return made | {RESULTS: json.dumps(results, indent=1).encode() + b"\n"}


def main() -> None:
    """Write all."""
    for name, content in documents().items():
        (FOLDER / name).write_bytes(content)


if __name__ == "__main__":
    main()
