"""Records of the trading invariants, and of orders that risk refused."""

from typing import Annotated, Literal

from msgspec import Meta

from reports.records.base import Count, Record

Ruled = Literal["HOLDS", "BROKEN", "UNKNOWN"]


class Invariant(Record, frozen=True, kw_only=True):
    """One clause of an invariant, judged over what was published since the last account.

    ``number`` and ``name``: the invariant's; ``checked``: messages that the clause judges; ``violations``: how many
    breaches, of which ``examples`` tells the first; ``producers``: each engine that published what broke it, with its
    first example; ``why``: of an UNKNOWN, what is missing or what was raised.
    """

    phase: str
    number: Annotated[int, Meta(ge=1, le=11)]
    name: str
    clause: str
    outcome: Ruled
    checked: Count
    violations: Count
    examples: Annotated[list[str], Meta(max_length=5)] = []
    producers: dict[str, str] = {}
    why: str = ""


class Denial(Record, frozen=True, kw_only=True):
    """Orders that risk refused for one reason since the last account; ``code`` is one of risk's denial codes."""

    phase: str
    code: str
    count: Annotated[int, Meta(ge=1)]
