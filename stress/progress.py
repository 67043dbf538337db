"""What a running mission says of itself, several times a second."""

from collections.abc import Callable

import msgspec


class Progress(msgspec.Struct, frozen=True):
    """`done_s` of about `total_s` seconds of the whole mission; `facts` are for display only."""

    phase: str
    text: str
    done_s: float
    total_s: float
    facts: dict[str, float | int | str] = {}


Listener = Callable[[Progress], None]
