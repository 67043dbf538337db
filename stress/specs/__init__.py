"""The phases that a mission may have, as data: one frozen type a role, told apart by `role` in the mission's file.

Each says what is wrong with it, and what it would do and for how long.  `stress.roles` carries them out.
"""

from typing import Any

import msgspec

from stress.specs.backtests import Backtests
from stress.specs.base import Spec
from stress.specs.bus import Bus
from stress.specs.calibrate import Calibrate
from stress.specs.data import Data
from stress.specs.drill import KillSwitch, ReverseStress
from stress.specs.faults import Faults
from stress.specs.hardware import Hardware
from stress.specs.idle import Idle
from stress.specs.inflight import InFlight
from stress.specs.load import Load
from stress.specs.search import Search
from stress.specs.soak import Soak
from stress.specs.storm import Storm

AnySpec = (
    Backtests
    | Bus
    | Calibrate
    | Data
    | Faults
    | Hardware
    | Idle
    | InFlight
    | KillSwitch
    | Load
    | ReverseStress
    | Search
    | Soak
    | Storm
)  # fmt: skip
ROLES: dict[str, type[Spec]] = {str(kind.__struct_config__.tag): kind for kind in AnySpec.__args__}


def varied(spec: Spec, changes: dict[str, Any]) -> Spec:
    """The phase with some fields changed.  Raises msgspec.ValidationError when a value cannot be."""
    known = {key: value for key, value in msgspec.to_builtins(spec).items() if key not in ("quick", "full", "role")}
    return msgspec.convert({**known, **changes, "role": spec.role}, type(spec))
