"""How thresholds and abort conditions are written: `<metric> <sign> <number>`, and `for <n> s` if it must last."""

import re
from typing import NamedTuple

from reports.records.thresholds import Compare

SIGNS: dict[str, Compare] = {"<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "equal"}
"""The signs, and what reports call them."""
_FORM = re.compile(r"\s*([\w.\-]+)\s*(<=|>=|==|<|>)\s*([+-]?[\d._]+(?:e[+-]?\d+)?)\s*(?:for\s+([\d.]+)\s*s\s*)?")


class Condition(NamedTuple):
    """A metric by name, its comparison and value, and for how many seconds it must hold, None where nothing is said."""

    text: str
    metric: str
    sign: str
    value: float
    for_s: float | None

    def holds(self, seen: float) -> bool:
        """Whether a value meets it."""
        return {
            "<": seen < self.value,
            "<=": seen <= self.value,
            ">": seen > self.value,
            ">=": seen >= self.value,
            "==": seen == self.value,
        }[self.sign]


def read(text: str) -> Condition | None:
    """The condition that a text says; None when it says none."""
    found = _FORM.fullmatch(text)
    try:
        return found and Condition(
            text.strip(), found[1], found[2], float(found[3]), None if found[4] is None else float(found[4])
        )
    except ValueError:  # digits that make no number
        return None
