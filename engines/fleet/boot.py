"""The boot as a timeline, and the chain of units that its length hangs on."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One unit's boot, in seconds since the supervisor's birth.

    `launched_s`: its process was ordered; `released_s`: what it starts after was ready, so that its own time begins;
    `ready_s`: None while it is not.  `budget_s`: what its manifest allows from release to ready; None for none.
    """

    name: str
    launched_s: float
    released_s: float
    ready_s: float | None = None
    budget_s: float | None = None
    after: tuple[str, ...] = ()  # what released it, the zygote included

    @property
    def own_s(self) -> float | None:
        """From its release to ready."""
        return None if self.ready_s is None else round(self.ready_s - self.released_s, 6)

    @property
    def late(self) -> bool:
        """It took longer than its budget."""
        return self.budget_s is not None and self.own_s is not None and self.own_s > self.budget_s


def critical_chain(timeline: Sequence[Step], after: Mapping[str, Sequence[str]] | None = None) -> tuple[Step, ...]:
    """The steps that made the boot as long as it was, first to last.  `after` None: as each step says.

    It ends with the unit that was ready last; before each unit comes the one among those it starts after that was
    ready last, since that one released it.  Units that are not ready are left out; no boot has no chain.
    """
    ready = {step.name: step for step in timeline if step.ready_s is not None}
    if not ready:
        return ()
    needs = {name: step.after for name, step in ready.items()} if after is None else after
    chain = [_last(ready.values())]
    while before := [ready[name] for name in needs.get(chain[-1].name, ()) if name in ready]:
        latest = _last(before)
        if latest in chain:
            break  # a restart left a dependency that is younger than its dependents
        chain.append(latest)
    return tuple(reversed(chain))


def _last(steps: Iterable[Step]) -> Step:
    return max(steps, key=lambda step: step.ready_s or 0.0)
