"""A fault as a mission's file asks for it, and what is wrong with a list or a schedule of them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated

import msgspec
from msgspec import Meta

from engines.wire import manifest as manifests
from engines.wire.errors import UnknownName
from stress.faults.fault import BUSES, HOST, SUPERVISOR, Fault, Value
from stress.faults.kinds import KINDS
from stress.specs.base import Part, PhasePlan, Seconds


class Strike(Part, frozen=True, kw_only=True):
    """One fault.  `at_s`: when it strikes, seconds from the window's start; None: after the one before it.

    `for_s`: how long it lasts, for kinds that last; `parameters`: those of its kind.
    """

    kind: str
    target: str
    at_s: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    for_s: Seconds | None = None
    parameters: dict[str, Value] = msgspec.field(default_factory=dict)

    def span(self) -> tuple[float, float]:
        """From when to when it is in force, seconds from the window's start."""
        start = self.at_s or 0.0
        return start, start + (self.for_s or 0.0)

    def words(self) -> str:
        """For people."""
        lasts = f" for {self.for_s:g} s" if self.for_s is not None else ""
        told = ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        return f"{self.kind} {self.target}{lasts}" + (f" ({told})" if told else "")


_NOTHING_DRAWN = frozenset(
    {"bandwidth", "stall", "half-open", "partition"}
)  # of the proxy's kinds, those without chance


def everyone() -> tuple[str, ...]:
    """All that can be harmed."""
    return (*(manifest.name for manifest in manifests.discover()), *BUSES, SUPERVISOR, HOST)


def faults(title: str, strikes: Sequence[Strike]) -> tuple[Fault, ...]:
    """What is injected, in the order of the list."""
    return tuple(
        Fault(f"{title}-{n:03d}-{each.kind}-{each.target}", each.kind, each.target, each.for_s, dict(each.parameters))
        for n, each in enumerate(strikes)
    )


def mistakes(strikes: Sequence[Strike], *, scheduled: bool, window_s: float | None) -> Iterator[str]:
    """Everything that is wrong with a list.  `scheduled`: each needs its time; `window_s` None is as long as needed."""
    known = everyone()
    for place, strike in enumerate(strikes):
        where = f"faults[{place}]"
        if strike.target not in known:
            yield f"{where}.target: {UnknownName('target', strike.target, known)}"
        if strike.kind not in KINDS:
            yield f"{where}.kind: {UnknownName('kind of fault', strike.kind, KINDS)}"
            continue
        kind = KINDS[strike.kind]
        if strike.target in known:
            yield from (f"{where}: {strike.kind}: {words}" for words in kind.mistakes(strike.target, strike.parameters))
        if strike.kind in _NOTHING_DRAWN and "seed" in strike.parameters:
            yield f"{where}.parameters: {strike.kind} draws nothing at random, and so takes no seed"
        if kind.lasting and strike.for_s is None:
            yield f"{where}.for_s is missing: {strike.kind} lasts until it is healed"
        if not kind.lasting and strike.for_s is not None:
            yield f"{where}.for_s: {strike.kind} is over at once"
    yield from _times(strikes, scheduled=scheduled, window_s=window_s)


def _times(strikes: Sequence[Strike], *, scheduled: bool, window_s: float | None) -> Iterator[str]:
    for place, strike in enumerate(strikes):
        if scheduled and strike.at_s is None:
            yield f"faults[{place}].at_s is missing: when it strikes, seconds from the window's start"
        end = strike.span()[1]
        if scheduled and window_s is not None and end > window_s:
            yield f"faults[{place}]: it ends at {end:g} s, after the window's end at {window_s:g} s"
    if not scheduled:
        return
    placed = sorted(enumerate(strikes), key=lambda item: item[1].span())
    for target in dict.fromkeys(strike.target for strike in strikes):
        own = [(place, strike) for place, strike in placed if strike.target == target and strike.at_s is not None]
        for (first, before), (second, after) in pairwise(own):
            if after.span()[0] <= before.span()[1]:
                yield f"faults[{second}] strikes {target} while faults[{first}] is in force there"


def rows(window: str, strikes: Sequence[Strike]) -> Iterator[PhasePlan]:
    """The schedule, in its order; it takes no time of its own."""
    for place, strike in sorted(enumerate(strikes), key=lambda item: item[1].at_s or 0.0):
        at = f"+{strike.at_s:g} s: " if strike.at_s is not None else ""
        yield PhasePlan(f"{window}-fault-{place:03d}", at + strike.words(), 0.0)
