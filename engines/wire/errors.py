"""The exception hierarchy.  Every error says what failed, why, and what to type next.

NautilusError
├── UsageError          the caller asked for something that cannot be
│   ├── UnknownName     with the nearest known name
│   └── ManifestErrors  every mistake in the manifests, at once
├── SettingsError       the environment or nautilus.toml is wrong
├── NotRunning          no supervisor answers
├── BusError            a bus cannot be reached or refuses
│   ├── Fenced          a newer incarnation of this engine owns its effects
│   └── CommitUnknown   the connection broke while a commit was under way
├── MessageError        a message cannot be decoded
├── PortInUse           another process holds a port
└── DataError           bars, tapes or stores do not hold what was asked
"""

import difflib
from collections.abc import Iterable, Sequence


class NautilusError(Exception):
    """What failed, why, and the next command to type (empty when there is none)."""

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        """One paragraph: what, why and what next, each ending its own sentence."""
        return " ".join(part for part in (self.what, self.why, self.next_step) if part)


class UsageError(NautilusError):
    """The caller asked for something that cannot be."""


class UnknownName(UsageError):
    """A name that is not known, with the nearest one that is."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.known = sorted(known)
        near = difflib.get_close_matches(name, self.known, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(self.known) or 'none'}."
        super().__init__(f"There is no {kind} {name!r}.", "", hint)
        self.nearest = near[0] if near else None


class ManifestErrors(UsageError):
    """Every mistake found in the manifests, at once."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = len(self.mistakes)
        lines = "\n".join(f"  {mistake}" for mistake in self.mistakes)
        super().__init__(f"{count} mistake{'s' if count != 1 else ''} in the engine manifests:\n{lines}\n")


class SettingsError(NautilusError):
    """The environment or the configuration file is wrong."""


class NotRunning(NautilusError):
    """No supervisor answers for the fleet."""


class BusError(NautilusError):
    """A bus cannot be reached, or it refuses a command."""


class Fenced(BusError):
    """A newer incarnation of this engine owns its effects; this one must end."""


class CommitUnknown(BusError):
    """The connection broke while a commit was under way: it may or may not have happened.

    The caller must claim a new epoch and load what is committed, as after a crash.
    """


class MessageError(NautilusError):
    """A message cannot be decoded; it belongs in the dead-letter stream."""


class PortInUse(NautilusError):
    """Another process holds a port that an engine needs."""


class DataError(NautilusError):
    """Bars, tapes or stores do not hold what was asked."""
