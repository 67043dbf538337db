"""Render docs/example-report again from its records, which stay as they were flown, and seal it.

    python scripts/render_example.py [RUN]

With RUN, a run folder, its records become the example's first.
"""

import shutil
import sys
from pathlib import Path

from reports import runs, seal, verify

EXAMPLE = Path(__file__).parents[1] / "docs/example-report"
RECORDS = ("history.jsonl", "samples.parquet", "latency")


def main() -> None:
    """Take over, render, seal, verify."""
    if len(sys.argv) > 1:
        taken = Path(sys.argv[1])
        shutil.rmtree(EXAMPLE, ignore_errors=True)
        EXAMPLE.mkdir(parents=True)
        for name in RECORDS:
            copy = shutil.copytree if (taken / name).is_dir() else shutil.copy2
            copy(taken / name, EXAMPLE / name)
    else:
        for path in [each for each in EXAMPLE.iterdir() if each.name not in RECORDS]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    runs.render(EXAMPLE)
    seal.seal(EXAMPLE)
    checked = verify.verify(EXAMPLE)
    print(f"{EXAMPLE.name}: {checked.status}, {checked.figures} figures recomputed")
    raise SystemExit(0 if checked.ok else 1)


if __name__ == "__main__":
    main()
