"""The times of this machine's devices, a `nautilus.profile/1`, on stdout: `python -m stress.profiler [--quick]`.

A process of its own, so that a mission can end it; nothing else is written there.
"""

import sys

import msgspec

from engines.wire.errors import NautilusError
from stress.profiler import routing


def main(arguments: list[str]) -> int:
    """Measure and print.  1 when the machine cannot be timed."""
    try:
        found = routing.profile(quick="--quick" in arguments)
    except NautilusError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
