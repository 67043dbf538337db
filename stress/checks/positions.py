"""Invariant 3.

Position = opening + signed fills + corporate actions.  Cash over all accounts (house and fees included) changes by
zero, in integer cents.  Change of equity = realised + change of unrealised - fees.

An account opens a replay flat, with the cash that a funding says or one that no message tells, and no message tells of
a corporate action.  Portfolio tells positions after every fill and funding and on marks; all sums here are integers of
1/10,000, which is finer than cents.
"""

from collections import Counter
from collections.abc import Iterator

from engines.wire.messages import Envelope, Fill, Funding, Positions
from stress.checks.evidence import Evidence, in_replay
from stress.checks.violation import Clause, NotJudged, Violation, broken

Told = tuple[Envelope, Positions, list[tuple[Envelope, Fill]] | None]


def check_positions(evidence: Evidence) -> tuple[Violation, ...]:
    """Position = opening + signed fills + corporate actions."""
    found = []
    for number in _replays(evidence):
        last: Envelope | None = None
        for message, body, fills in _told(evidence, number):
            last = message
            if fills is None:
                if message.header.cause.startswith("fills/") and not evidence.trimmed("fills"):
                    found.append(
                        broken(3, f"r{number}", f"they book {message.header.cause}, which is not there", message)
                    )
                continue
            held: Counter[str] = Counter()
            for _, fill in fills:
                held[fill.symbol] += fill.side * fill.quantity
            told = {row.symbol: row.quantity for row in body.rows}
            for symbol in sorted(held.keys() | told.keys()):
                if held[symbol] != told.get(symbol, 0):
                    words = f"{told.get(symbol, 0)} held, the fills make {held[symbol]}"
                    shown = [m for m, fill in fills if fill.symbol == symbol][-1:]
                    found.append(broken(3, symbol, words, *shown, message))
        missing = _unbooked(evidence, number)
        if missing is not None and last is not None:
            found.append(broken(3, f"r{number}", "its last fill is in no positions", missing, last))
    return evidence.concluded(found, "fills")


def check_cash(evidence: Evidence) -> tuple[Violation, ...]:
    """The account's cash changes by what its fills paid: with the other side's it changes by zero.

    A future settles its gains (its multiplier exceeds 1), all else is paid in full; fees leave the account.  Once it is
    funded, these begin with the funding's cash.
    """
    funded = _funded(evidence)
    found, judged = [], 0
    for number in _replays(evidence):
        base: int | None = None
        for message, body, fills in _told(evidence, number):
            if fills is None:
                continue
            futures = sum(row.realised for row in body.rows if row.multiplier > 1)
            paid = sum(f.side * f.quantity * f.price * f.multiplier for _, f in fills if f.multiplier == 1)
            opening = body.cash + paid - futures + sum(fill.fee for _, fill in fills)
            base = funded.get(message.header.cause, opening if base is None else base)
            judged += 1
            if opening != base:
                words = f"{opening - base} of 1/10,000 appeared in it"
                found.append(broken(3, "cash", words, *[m for m, _ in fills[-1:]], message))
                base = opening
        unbooked = _unbooked(evidence, number, "funding")
        if unbooked is not None and not evidence.trimmed("positions"):
            found.append(broken(3, "cash", "its last funding is in no positions", unbooked))
    if not judged:
        raise NotJudged("no positions were told behind a known fill")
    return evidence.concluded(found, "fills", "funding")


def check_all_accounts(evidence: Evidence) -> tuple[Violation, ...]:
    """Cash over all accounts (house and fees included) changes by zero, in integer cents."""
    evidence.of("positions")
    raise NotJudged("positions tell one account's cash; neither the house's nor the fees' account is in any message")


def check_fees(evidence: Evidence) -> tuple[Violation, ...]:
    """The fees told are those of the fills."""
    found = []
    for number in _replays(evidence):
        for message, body, fills in _told(evidence, number):
            if fills is not None and body.fees != sum(fill.fee for _, fill in fills):
                words = f"fees of {body.fees}, the fills make {sum(fill.fee for _, fill in fills)}"
                found.append(broken(3, "fees", words, *[m for m, _ in fills[-1:]], message))
    return evidence.concluded(found, "fills")


def check_equity(evidence: Evidence) -> tuple[Violation, ...]:
    """Change of equity = realised + change of unrealised - fees; a funding says what it changes from."""
    funded = _funded(evidence)
    found = []
    for number in _replays(evidence):
        base, before = None, None
        for message, body, _ in _told(evidence, number):
            opening = body.equity - sum(row.realised + row.unrealised for row in body.rows) + body.fees
            base = funded.get(message.header.cause, base)
            if base is not None and before is not None and opening != base:
                words = f"it changed by {opening - base} of 1/10,000 more than gains less fees"
                found.append(broken(3, "equity", words, before, message))
            base, before = opening, message
    return evidence.concluded(found, "positions")


def _replays(evidence: Evidence) -> list[int]:
    found = [number for number in evidence.replays() if in_replay(evidence.of("positions"), number)]
    if not found:
        raise NotJudged("no positions were told")
    return found


def _told(evidence: Evidence, number: int) -> Iterator[Told]:
    """Positions of a replay, each with the fills that it must hold; None where the messages do not tell which.

    Positions that a fill caused hold the fills up to it; those that a mark caused hold what those before them held.
    """
    fills = [(m, m.body) for m in in_replay(evidence.of("fills"), number) if isinstance(m.body, Fill)]
    place = {message.id: n for n, (message, _) in enumerate(fills, 1)}
    upto: int | None = None if evidence.trimmed("positions") else 0
    for message in in_replay(evidence.of("positions"), number):
        if not isinstance(message.body, Positions):
            continue
        if message.header.cause.startswith("fills/"):
            upto = place.get(message.header.cause)
        yield message, message.body, None if upto is None else fills[:upto]


def _funded(evidence: Evidence) -> dict[str, int]:
    """The opening cash that each funding says, by the funding's id."""
    return {message.id: body.cash for message, body in evidence.bodies("funding", Funding)}


def _unbooked(evidence: Evidence, number: int, topic: str = "fills") -> Envelope | None:
    """The last message of a topic, when no positions name it as their cause."""
    told = in_replay(evidence.of(topic), number)
    causes = {message.header.cause for message in evidence.of("positions")}
    return told[-1] if told and told[-1].id not in causes else None


CLAUSES = (
    Clause(3, "position = opening + signed fills + corporate actions", check_positions, ("positions",)),
    Clause(3, "the account's cash changes by what its fills paid", check_cash, ("positions",)),
    Clause(3, "the fees are those of the fills", check_fees, ("positions",)),
    Clause(3, "cash over all accounts changes by zero, in integer cents", check_all_accounts, ("positions",)),
    Clause(3, "change of equity = realised + change of unrealised - fees", check_equity, ("positions",)),
)
