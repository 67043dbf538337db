"""Takes back what missions left in force when their operator died: every pending undo of every run folder.

Each kind heals from what its undo holds and nothing else.
"""

import time
from pathlib import Path
from typing import NamedTuple

from engines.fleet import api
from engines.wire.errors import NautilusError, NotRunning
from stress.faults.kinds import KINDS
from stress.faults.undo import JOURNAL, UndoJournal
from stress.fleet import FLEET, NAME

_STEADY_S = 20.0
_LOOK_S = 0.1


class Healed(NamedTuple):
    """What became of one undo."""

    fault: str
    kind: str
    target: str
    proven: bool
    proof: str


class Steady(NamedTuple):
    """Whether a run's fleet is in its steady state again; `holds` None: it does not run any more."""

    run: str
    holds: bool | None
    words: str


def heal_pending(folder: Path) -> tuple[Healed, ...]:
    """Heal every undo that is pending in `folder`, or in a run folder below it.  An undo that fails stays pending."""
    journals = [folder / JOURNAL, *sorted(folder.glob(f"*/{JOURNAL}"))]
    return tuple(healed for path in journals if path.is_file() for healed in _heal(UndoJournal(path.parent)))


def steady(folder: Path, limit_s: float = _STEADY_S) -> tuple[Steady, ...]:
    """For every run folder below `folder` whose fleet still runs: whether all its engines become ready in time."""
    return tuple(_steady(path.parent.parent, limit_s) for path in sorted(folder.glob(f"*/{FLEET}/{NAME}")))


def _heal(journal: UndoJournal) -> list[Healed]:
    found = []
    for undo in journal.pending():
        kind = KINDS.get(undo.kind)
        if kind is None:
            found.append(Healed(undo.fault, undo.kind, undo.target, False, "this version knows no such kind"))
            continue
        try:
            done = kind.heal(undo, journal)
        except (NautilusError, OSError) as error:
            found.append(Healed(undo.fault, undo.kind, undo.target, False, str(error)))
            continue
        found.append(Healed(undo.fault, undo.kind, undo.target, done.proven, done.proof))
    return found


def _steady(run: Path, limit_s: float) -> Steady:
    until = time.monotonic() + limit_s
    try:
        while True:
            status = api.status(NAME, home=run / FLEET)
            behind = [f"{engine.name} {engine.state}" for engine in status.wanted if engine.state != "ready"]
            if not behind:
                return Steady(run.name, True, f"{len(status.wanted)} engines are ready")
            if time.monotonic() > until:
                return Steady(run.name, False, ", ".join(behind))
            time.sleep(_LOOK_S)
    except NotRunning:
        return Steady(run.name, None, "its fleet does not run any more")
