"""Invariant 9.

Causality: no output uses an input with a later `ts_event`.  Replay is bit-equal.

A message names one input, its cause.  What else its engine had read by then is in no message.
"""

from itertools import zip_longest

import numpy as np

from engines.wire.messages import TOPICS, Bars, Body, Envelope, Features, Predictions, Quotes, Trades, Vpin, encode_body
from engines.wire.ticks import QUOTE, TRADE
from stress.checks.evidence import Evidence, in_replay
from stress.checks.violation import Clause, NotJudged, Violation, broken

TAPE = ("trades", "quotes", "levels", "depths", "busts")


def check_causes(evidence: Evidence) -> tuple[Violation, ...]:
    """No output uses an input with a later `ts_event`: a cause is neither later in the market nor sent later."""
    known = {message.id: message for messages in evidence.topics.values() for message in messages}
    found, judged, lost = [], 0, 0
    for message in known.values():
        if not message.header.cause:
            continue
        cause = known.get(message.header.cause)
        if cause is None:
            lost += 1
            continue
        judged += 1
        if cause.header.ts_event > message.header.ts_event:
            late = cause.header.ts_event - message.header.ts_event
            found.append(broken(9, message.topic, f"its cause is {late} ns later in the market", cause, message))
        if cause.header.mono_sent > message.header.mono_sent:
            found.append(broken(9, message.topic, "its cause was sent after it", cause, message))
    if not found and not judged:
        raise NotJudged("no message names a cause that is here")
    if not found and lost:
        trimmed = [topic for topic in evidence.topics if evidence.trimmed(topic)]
        raise NotJudged(f"{lost} messages name causes that are gone; trimmed: {', '.join(trimmed) or 'none'}")
    return tuple(found)


def check_own_times(evidence: Evidence) -> tuple[Violation, ...]:
    """No output uses an input with a later `ts_event`: no row is of a later time than the last row of its cause."""
    known = {message.id: message for messages in evidence.topics.values() for message in messages}
    found, judged, lost = [], 0, 0
    for topic in ("features", "bars", "vpin", "predictions"):
        for message in evidence.of(topic):
            cause = known.get(message.header.cause)
            if cause is None:
                lost += 1
                continue
            judged += 1
            latest = max(_times(cause.body), default=cause.header.ts_event)
            late = max(_times(message.body), default=latest) - latest
            if late > 0:
                found.append(broken(9, topic, f"a row of {late} ns after its input", cause, message))
    if not found and (lost or not judged):
        raise NotJudged(f"of {judged + lost} features, bars, VPIN and predictions, {lost} name causes that are gone")
    return tuple(found)


def check_other_inputs(evidence: Evidence) -> tuple[Violation, ...]:
    """No output uses an input with a later `ts_event`, its cause or any other."""
    evidence.of("sessions")
    raise NotJudged("a message names one input, its cause; up to where its engine had read the others is in no message")


def check_again(evidence: Evidence) -> tuple[Violation, ...]:
    """Replay is bit-equal: the tape's messages, replay by replay."""
    if evidence.again is None:
        raise NotJudged("the mission was run once")
    found, judged = [], 0
    for number, twin in zip(evidence.replays(), evidence.again.replays(), strict=False):
        for topic in TAPE:
            ours, theirs = in_replay(evidence.of(topic), number), in_replay(evidence.again.of(topic), twin)
            judged += len(ours)
            for one, other in zip_longest(ours, theirs):
                if one is None or other is None or _bits(one) != _bits(other):
                    shown = one or other
                    found.append(broken(9, topic, "the second run's message differs", *([shown] if shown else [])))
                    break
    if not found and not judged:
        raise NotJudged("the tape was not replayed")
    if not found:
        evidence.again.whole(*TAPE)
    return evidence.concluded(found, *TAPE)


def _bits(message: Envelope) -> tuple[int, bytes]:
    return message.header.ts_event, encode_body(message.body)


def _times(body: Body) -> list[int]:
    """The market times of a body's rows: of ticks their own, of what is computed those up to which it says to reach."""
    match body:
        case Bars(rows=bars):
            return [bar.end_ns for bar in bars]
        case Features(rows=features):
            return [row.ts_ns for row in features]
        case Vpin(rows=rows):
            return [row.ts_ns for row in rows]
        case Predictions(rows=predictions):
            return [row.ts_ns for row in predictions]
        case Trades(rows=data):
            return [int(ts) for ts in np.frombuffer(data, TRADE)["ts"]]
        case Quotes(rows=data):
            return [int(ts) for ts in np.frombuffer(data, QUOTE)["ts"]]
    return []


CLAUSES = (
    Clause(9, "no output uses a cause with a later ts_event", check_causes, tuple(TOPICS)),
    Clause(
        9, "no output is of a later time than its input", check_own_times, ("features", "bars", "vpin", "predictions")
    ),
    Clause(9, "no output uses any input with a later ts_event", check_other_inputs, ("signals", "orders")),
    Clause(9, "replay is bit-equal", check_again, ("trades", "quotes", "levels")),
)
