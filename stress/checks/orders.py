"""Invariant 1.

Each order: one risk decision before the venue; one terminal state; sum of fills <= quantity; nothing after the terminal
state.
"""

from engines.wire.messages import Accepted, Cancelled, Denied, Envelope, Fill, Filled, Order, Rejected, Session
from stress.checks.evidence import Evidence, replay
from stress.checks.lives import TERMINAL, Life, after, lives
from stress.checks.violation import Clause, NotJudged, Violation, broken

_TOPICS = ("orders", "order-events", "fills")


def check_decision(evidence: Evidence) -> tuple[Violation, ...]:
    """Each order: one risk decision before the venue."""
    found = []
    for name, life in _lives(evidence).items():
        decisions = [state for state in life.states if isinstance(state.body, Accepted | Denied)]
        if not life.asked:
            found.append(broken(1, name, "it was never asked for", *(life.states or life.fills)[:1]))
        elif not decisions and not _running(evidence, life.asked[0]):
            found.append(broken(1, name, "risk never decided it", *life.asked))
        elif len(decisions) > 1:
            found.append(broken(1, name, f"risk decided it {len(decisions)} times", *decisions))
        venue = [state for state in life.states if not isinstance(state.body, Accepted | Denied)]
        early = venue and (not decisions or life.states.index(venue[0]) < life.states.index(decisions[0]))
        if early or (life.fills and not decisions):
            found.append(broken(1, name, "it was at the venue before risk decided", *(venue or life.fills)[:1]))
        if life.accepted is not None and life.order is not None and _let_through(life) != life.order:
            found.append(broken(1, name, "risk let another order through than was asked", *life.asked, life.accepted))
    return evidence.concluded(found, *_TOPICS)


def check_one_end(evidence: Evidence) -> tuple[Violation, ...]:
    """Each order: one terminal state."""
    found = []
    for name, life in _lives(evidence).items():
        ends = [state for state in life.states if isinstance(state.body, TERMINAL)]
        if len(ends) > 1:
            words = ", ".join(type(end.body).__name__ for end in ends)
            found.append(broken(1, name, f"it ended {len(ends)} times: {words}", *ends))
        if not ends and life.asked and not _running(evidence, life.asked[0]):
            found.append(broken(1, name, "its session is over and it never ended", life.asked[0]))
    return evidence.concluded(found, *_TOPICS)


def check_fills(evidence: Evidence) -> tuple[Violation, ...]:
    """Each order: sum of fills <= quantity; what its end tells of them is so."""
    found = []
    for name, life in _lives(evidence).items():
        if life.order is None:
            continue
        told = [fill.body.fill_id for fill in life.fills if isinstance(fill.body, Fill)]
        if len(set(told)) < len(told):
            found.append(broken(1, name, "a fill was told twice", *life.fills))
        if life.filled > life.quantity:
            found.append(broken(1, name, f"{life.filled} of {life.quantity} were filled", *life.fills))
            continue
        expected = _expected(life)
        if expected is not None and expected != life.filled:
            end = [life.end] if life.end is not None else []
            words = f"its end tells of {expected} filled, its fills make {life.filled}"
            found.append(broken(1, name, words, *life.fills, *end))
    return evidence.concluded(found, *_TOPICS)


def check_silence(evidence: Evidence) -> tuple[Violation, ...]:
    """Each order: nothing after the terminal state."""
    found = []
    for name, life in _lives(evidence).items():
        end = life.end
        if end is None:
            continue
        late = life.states[life.states.index(end) + 1 :]
        late = [state for state in late if not isinstance(state.body, TERMINAL)]  # a second end is its own clause
        late += [fill for fill in life.fills if after(fill, end)]
        found += [broken(1, name, f"{type(m.body).__name__} after {type(end.body).__name__}", end, m) for m in late]
    return evidence.concluded(found, *_TOPICS)


def _let_through(life: Life) -> Order | None:
    body = life.accepted.body if life.accepted is not None else None
    return body.order if isinstance(body, Accepted) else None


def _expected(life: Life) -> int | None:
    """How much had filled, as the order's end tells it; None where it does not."""
    match life.end.body if life.end is not None else None:
        case Filled():
            return life.quantity
        case Denied() | Rejected():
            return 0
        case Cancelled(remaining=remaining):
            return life.quantity - remaining
    return None


def _lives(evidence: Evidence) -> dict[str, Life]:
    found = lives(evidence)
    if not found:
        evidence.whole(*_TOPICS)
        raise NotJudged("no order was asked for")
    return found


def _running(evidence: Evidence, asked: Envelope) -> bool:
    """Whether its session may still answer: it has not closed, and no later replay has begun."""
    number = replay(asked)
    if number is None:
        return True
    closed = any(body.event == "close" and replay(m) == number for m, body in evidence.bodies("sessions", Session))
    return not closed and max(evidence.replays(), default=number) <= number


CLAUSES = (
    Clause(1, "one risk decision before the venue", check_decision, _TOPICS),
    Clause(1, "one terminal state", check_one_end, _TOPICS),
    Clause(1, "sum of fills <= quantity", check_fills, _TOPICS),
    Clause(1, "nothing after the terminal state", check_silence, _TOPICS),
)
