"""Invariant 8.

VPIN null before n buckets, then in [0, 1]; every bucket exactly V; buckets + remainder = trades.

Neither n nor V is in a message.  n is what the rows themselves show, and must be one for all symbols.  V is found by
asking which bucket volumes fit: after the c-th bucket closed, of S shares traded by then, c V <= S < (c + 1) V.
Buckets of exactly V leave at least one such V for the whole day; buckets that are not leave none.
"""

from collections import defaultdict

import numpy as np

from engines.wire.messages import Envelope, Vpin, VpinRow
from stress.checks.evidence import Evidence, in_replay
from stress.checks.tape import some, ticks
from stress.checks.violation import Clause, NotJudged, Violation, broken

_Rows = dict[str, list[tuple[Envelope, VpinRow]]]


def check_values(evidence: Evidence) -> tuple[Violation, ...]:
    """VPIN null before n buckets, then in [0, 1]."""
    found, judged = [], 0
    for number in some(evidence.replays()):
        windows: dict[str, int] = {}
        for symbol, rows in _by_symbol(evidence, number).items():
            judged += len(rows)
            for message, row in rows:
                if row.vpin is not None and not 0 <= row.vpin <= 1:
                    found.append(broken(8, symbol, f"VPIN of {row.vpin}", message, at_ns=row.ts_ns))
            full = next((n for n, (_, row) in enumerate(rows) if row.vpin is not None), None)
            if full is None:
                continue
            found += [
                broken(
                    8, symbol, f"null after {rows[full][1].bucket + 1} buckets had a value", message, at_ns=row.ts_ns
                )
                for message, row in rows[full:]
                if row.vpin is None
            ]
            windows[symbol] = rows[full][1].bucket + 1
        if len(set(windows.values())) > 1 and not evidence.trimmed("vpin"):
            words = ", ".join(f"{symbol} after {n}" for symbol, n in sorted(windows.items()))
            messages = in_replay(evidence.of("vpin"), number)
            found.append(
                broken(8, f"r{number}", f"first values after different numbers of buckets: {words}", messages[0])
            )
    if not found and not judged:
        raise NotJudged("no bucket closed")
    return evidence.concluded(found, "vpin")


def check_numbers(evidence: Evidence) -> tuple[Violation, ...]:
    """Every bucket is told once, in order."""
    found, judged = [], 0
    for number in some(evidence.replays()):
        for symbol, rows in _by_symbol(evidence, number).items():
            due = rows[0][1].bucket if evidence.trimmed("vpin") else 0
            for message, row in rows:
                judged += 1
                if row.bucket != due:
                    found.append(broken(8, symbol, f"bucket {row.bucket} where {due} is due", message, at_ns=row.ts_ns))
                due = row.bucket + 1
    if not found and not judged:
        raise NotJudged("no bucket closed")
    return evidence.concluded(found, "vpin")


def check_volume(evidence: Evidence) -> tuple[Violation, ...]:
    """Every bucket exactly V; buckets + remainder = trades: some V fits every bucket that closed."""
    found, judged = [], 0
    for number in some(evidence.replays()):
        by_symbol = _by_symbol(evidence, number)
        if by_symbol:
            evidence.whole("trades", "vpin")
        tape = ticks(evidence, "trades", number)
        for symbol, rows in by_symbol.items():
            own = tape.of(symbol).rows
            order = np.argsort(own["ts"], kind="stable")
            ts, volume = own["ts"][order], np.cumsum(own["size"][order])
            least, most = 1, 1 << 62
            closed = {row.ts_ns: row.bucket + 1 for _, row in rows}  # after the last bucket of a minute
            for (message, row), final in zip(rows, [*[r.ts_ns for _, r in rows[1:]], None], strict=True):
                if final == row.ts_ns:
                    continue
                place = int(ts.searchsorted(row.ts_ns))
                traded, count = int(volume[place - 1]) if place else 0, closed[row.ts_ns]
                least, most = max(least, traded // (count + 1) + 1), min(most, traded // count)
                judged += 1
                if least > most:
                    words = f"{count} buckets closed of {traded} traded: no bucket volume fits"
                    found.append(broken(8, symbol, words, message, at_ns=row.ts_ns))
                    break
    if not found and not judged:
        raise NotJudged("no bucket closed")
    return evidence.concluded(found, "vpin", "trades")


def _by_symbol(evidence: Evidence, number: int) -> _Rows:
    found: _Rows = defaultdict(list)
    for message in in_replay(evidence.of("vpin"), number):
        if isinstance(message.body, Vpin):
            for row in message.body.rows:
                found[row.symbol].append((message, row))
    return found


CLAUSES = (
    Clause(8, "VPIN null before n buckets, then in [0, 1]", check_values, ("vpin",)),
    Clause(8, "every bucket told once, in order", check_numbers, ("vpin",)),
    Clause(8, "every bucket exactly V; buckets + remainder = trades", check_volume, ("vpin",)),
)
