"""`nautilus` with toys in the place of a mission's engines: `toymission.py PACKAGE stress run FILE ...`.

The command line, the harness, the supervisor and the buses are the real ones.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from engines.fleet import api
from engines.fleet.status import Event, FleetStatus
from engines.wire import manifest
from nautilus_cli.__main__ import main
from stress.fleet import MissionFleet
from stress.run import Run

ROOT = Path(sys.argv.pop(1))


def up(self: MissionFleet, on_event: Callable[[Event], None]) -> FleetStatus:
    spec = api.FleetSpec(name=self.name, port_offset=None, home=self.home, prefix="toys", root=ROOT, launch="spawn")
    self.status = api.up(spec, on_event=on_event)
    return self.status


MissionFleet.up = up  # type: ignore[method-assign]
Run.manifests = staticmethod(lambda: manifest.discover(ROOT))  # type: ignore[method-assign]
main()
