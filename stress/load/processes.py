"""How many processes a generator has: as many as asked for, or as the machine's cores allow."""

import os
import sys
from typing import Literal

AUTO_MOST = 4
CORES_EACH = 4  # of the machine for one process: the fleet under load and its buses need the others


def processes_of(wanted: int | Literal["auto"], cores: int) -> int:
    """The number itself; "auto" is one process for every four cores, one at least and four at most."""
    return wanted if wanted != "auto" else max(1, min(AUTO_MOST, cores // CORES_EACH))


def own_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
