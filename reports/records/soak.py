"""Records of a soak."""

from reports.records.base import Amount, Count, Record


class Soak(Record, frozen=True, kw_only=True):
    """A soak begins: its parts are phases with load, named in order.  ``trimmed``: topics whose streams must stay
    bounded, as their producers trim them.
    """

    phase: str
    seconds: Amount
    sample_s: Amount
    parts: list[str]
    trimmed: list[str]


class SoakSample(Record, frozen=True, kw_only=True):
    """What the fleet held at one instant: proportional set sizes and open files by process, entries by topic.

    A process that told nothing is absent.
    """

    phase: str
    number: Count
    pss_bytes: dict[str, Count]
    files: dict[str, Count]
    entries: dict[str, Count]
