"""What a checker says: violations, that it cannot judge, and its outcome."""

import enum
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from engines.wire.messages import Envelope

if TYPE_CHECKING:
    from stress.checks.evidence import Evidence


class Violation(msgspec.Struct, frozen=True):
    """One breach.  `entity`: the order, symbol, account or stream; `at_ns`: market time; `messages`: their ids.

    `producer`: the engine that published the last of them, with which it was broken.
    """

    invariant: int
    entity: str
    at_ns: int
    words: str
    messages: tuple[str, ...]
    producer: str = ""


class Status(enum.Enum):
    """What became of a clause."""

    HOLDS = "HOLDS"
    BROKEN = "BROKEN"
    UNKNOWN = "UNKNOWN"


class NotJudged(Exception):
    """The evidence does not tell whether a clause holds; the text says what it lacks."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One clause of an invariant, judged.

    `checked`: messages of the topics that it judges.  `why`: of an UNKNOWN, what is missing, or which exception was
    raised.
    """

    invariant: int
    clause: str
    status: Status
    checked: int = 0
    violations: tuple[Violation, ...] = ()
    why: str = ""


Check = Callable[["Evidence"], tuple[Violation, ...]]


class Clause(msgspec.Struct, frozen=True):
    """A part of an invariant with its checker; `about`: the topics whose messages it judges."""

    invariant: int
    words: str
    check: Check
    about: tuple[str, ...]


def broken(invariant: int, entity: str, words: str, *shown: Envelope, at_ns: int | None = None) -> Violation:
    """A violation that these messages show; its market time is the last one's unless given."""
    at = at_ns if at_ns is not None else shown[-1].header.ts_event if shown else 0
    producer = shown[-1].header.producer if shown else ""
    return Violation(invariant, entity, at, words, tuple(message.id for message in shown), producer)


def judge(clause: Clause, evidence: "Evidence") -> Outcome:
    """Run one checker; whatever it raises, the others still run.  What had nothing to judge does not hold."""
    checked = sum(len(evidence.topics.get(topic, ())) for topic in clause.about)

    def made(status: Status, found: tuple[Violation, ...] = (), why: str = "") -> Outcome:
        return Outcome(
            invariant=clause.invariant, clause=clause.words, status=status, checked=checked, violations=found, why=why
        )

    try:
        found = clause.check(evidence)
    except NotJudged as missing:
        return made(Status.UNKNOWN, why=str(missing))
    except Exception as error:
        return made(Status.UNKNOWN, why=f"the checker raised {type(error).__name__}: {error}")
    if found:
        return made(Status.BROKEN, found)
    return made(Status.HOLDS) if checked else made(Status.UNKNOWN, why=f"there was no message of {_or(clause.about)}")


def _or(words: tuple[str, ...]) -> str:
    return " or ".join(words)


def worst(outcomes: Iterable[Outcome]) -> dict[int, Status]:
    """Per invariant: broken if any clause is, else unknown if any is."""
    rank = (Status.HOLDS, Status.UNKNOWN, Status.BROKEN)
    found: dict[int, Status] = {}
    for outcome in outcomes:
        found[outcome.invariant] = max(outcome.status, found.get(outcome.invariant, Status.HOLDS), key=rank.index)
    return found
