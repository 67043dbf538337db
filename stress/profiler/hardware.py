"""The findings of a mission's hardware phase, and what `nautilus profile` prints and keeps."""

from collections.abc import Callable

import msgspec

from engines.wire.routing import Profile
from stress.profiler import routing
from stress.profiler.inventory import Inventory, inventory
from stress.profiler.routing import Progress


class Hardware(Profile, frozen=True, kw_only=True):
    """A profile with the inventory of the machine that it is of; engines read the profile's part of the document."""

    inventory: Inventory


def measure(*, quick: bool, hear: Callable[[Progress], None] = lambda _: None) -> Hardware:
    """Read and time this machine.

    Raises:
        ProfileError: the kernels cannot be timed.
    """
    what = inventory()
    return Hardware(inventory=what, **msgspec.structs.asdict(routing.profile(quick=quick, hear=hear)))
