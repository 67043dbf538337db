"""What a checker says: violations, that it cannot judge, and its outcome."""

import enum
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from engines.wire.messages import Envelope

if TYPE_CHECKING:
    from stress.checks.evidence import Evidence


class Violation(msgspec.Struct, frozen=True):
    """One breach.  `entity`: the order, symbol, account or stream; `at_ns`: market time; `messages`: their ids."""

    invariant: int
    entity: str
    at_ns: int
    words: str
    messages: tuple[str, ...]


class Status(enum.Enum):
    """What became of a clause."""

    HOLDS = "HOLDS"
    BROKEN = "BROKEN"
    UNKNOWN = "UNKNOWN"


class NotJudged(Exception):
    """The evidence does not tell whether a clause holds; the text says what it lacks."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One clause of an invariant, judged.  `why`: of an UNKNOWN, what is missing, or which exception was raised."""

    invariant: int
    clause: str
    status: Status
    violations: tuple[Violation, ...] = ()
    why: str = ""


Check = Callable[["Evidence"], tuple[Violation, ...]]


class Clause(msgspec.Struct, frozen=True):
    """A part of an invariant with its checker."""

    invariant: int
    words: str
    check: Check


def broken(invariant: int, entity: str, words: str, *shown: Envelope, at_ns: int | None = None) -> Violation:
    """A violation that these messages show; its market time is the last one's unless given."""
    at = at_ns if at_ns is not None else shown[-1].header.ts_event if shown else 0
    return Violation(invariant, entity, at, words, tuple(message.id for message in shown))


def judge(clause: Clause, evidence: "Evidence") -> Outcome:
    """Run one checker; whatever it raises, the others still run."""
    try:
        found = clause.check(evidence)
    except NotJudged as missing:
        return Outcome(invariant=clause.invariant, clause=clause.words, status=Status.UNKNOWN, why=str(missing))
    except Exception as error:
        why = f"the checker raised {type(error).__name__}: {error}"
        return Outcome(invariant=clause.invariant, clause=clause.words, status=Status.UNKNOWN, why=why)
    status = Status.BROKEN if found else Status.HOLDS
    return Outcome(invariant=clause.invariant, clause=clause.words, status=status, violations=found)


def worst(outcomes: Iterable[Outcome]) -> dict[int, Status]:
    """Per invariant: broken if any clause is, else unknown if any is."""
    rank = (Status.HOLDS, Status.UNKNOWN, Status.BROKEN)
    found: dict[int, Status] = {}
    for outcome in outcomes:
        found[outcome.invariant] = max(outcome.status, found.get(outcome.invariant, Status.HOLDS), key=rank.index)
    return found
