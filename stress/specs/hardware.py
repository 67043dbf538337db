"""What the machine can do, and what the engines make of it, as data."""

from collections.abc import Iterator

from stress.specs.base import PAUSE_S, PhasePlan, Spec

_QUICK_S, _WHOLE_S = 8.0, 90.0


class Hardware(Spec, frozen=True, kw_only=True, tag="hardware"):
    """Kernels are timed on every device present before the fleet starts, which then computes by that profile.

    In the phase itself each engine that chooses its device computes once, and says with which.  `brief`: fewer sizes
    and repeats.
    """

    brief: bool = True

    def plan(self) -> Iterator[PhasePlan]:
        """One step; most of it comes before the boot, on a quiet machine."""
        words = "kernels timed on every device before the boot; then which device each engine computes with"
        yield PhasePlan(self.title, words, (_QUICK_S if self.brief else _WHOLE_S) + PAUSE_S)
