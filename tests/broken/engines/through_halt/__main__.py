"""Run it."""

import dataclasses
from collections.abc import Sequence

from engines.kit.serve import serve
from engines.marketdata.service import engine as shipped
from engines.marketdata.venue import Venue
from engines.wire.messages import Body, Envelope, Fill, Halt

LAST: dict[str, Fill] = {}  # of each symbol


def step(venue: Venue, envelope: Envelope) -> tuple[Venue, Sequence[Body]]:
    """Answer as ever; a halt brings one more match of each symbol that it stops."""
    after, told = shipped.step(venue, envelope)
    LAST.update({body.symbol: body for body in told if isinstance(body, Fill)})
    if not isinstance(envelope.body, Halt):
        return after, told
    halt = envelope.body
    return after, [*told, *(_match(fill, halt) for fill in LAST.values() if halt.symbol in (fill.symbol, "*"))]


def _match(fill: Fill, halt: Halt) -> Fill:
    return Fill(
        f"{fill.fill_id}/halt", fill.order_id, fill.strategy, fill.symbol, fill.side, 1, fill.price, 0,
        fill.multiplier, halt.start_ns + 1,
    )  # fmt: skip


engine = dataclasses.replace(shipped, step=step)


def main() -> None:
    """Serve until told to stop."""
    serve(engine)


if __name__ == "__main__":
    main()
