"""What all records of the history share: their head, and the types of their fields."""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

SCHEMA_VERSION = 1
HISTORY = "history.jsonl"
"""The file of a run folder that holds its records."""

Count = Annotated[int, Meta(ge=0)]
Amount = Annotated[float, Meta(ge=0)]
"""A non-negative finite number."""
Stress = Annotated[float, Meta(ge=0, le=1)]
EngineStatus = Literal["starting", "healthy", "degraded", "halted", "down"]
HlogUnit = Literal["ns", "us", "ms"]
NOT_SERVER_ERRORS = frozenset({"timeout", "http_4xx"})
"""Failure kinds that are not the server's error. Any other kind (http_5xx, reset, bad_body, ...) is one."""


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named part of a record."""


class Record(Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag=_snake):
    """The common head of every record.  Records are trees, so the garbage collector need not look at millions."""

    at: str
    mono_ns: int
