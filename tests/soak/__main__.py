"""The soak: a fleet, a tape, and random kills.  `python -m tests.soak [--kills N] [--engines NAME ...] [--seed N]`

Prints one JSON document; exit code 0 when the fleet stands as if nothing had happened.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.soak.chaos import Plan, soak


def main() -> int:
    """Parse, soak, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--engines", nargs="*", help="only these and what they start after")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gap", type=float, default=0.5, help="longest pause between two kills, in seconds")
    parser.add_argument("--home", type=Path, help="where the fleet's folder is kept; a temporary one when not given")
    parser.add_argument("--port-offset", type=int, help="the first free one when not given")
    asked = parser.parse_args()
    engines = tuple(asked.engines) if asked.engines else None
    plan = Plan(kills=asked.kills, engines=engines, seed=asked.seed, gap_s=asked.gap, port_offset=asked.port_offset)
    with tempfile.TemporaryDirectory(prefix="nautilus-soak-") as folder:
        result = soak(plan, asked.home or Path(folder), _say)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(result), indent=1).decode() + "\n")
    return 0 if result.ok else 1


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
