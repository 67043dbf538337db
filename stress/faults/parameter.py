"""The parameters of a kind of fault: their bounds and defaults, and what is wrong with given ones."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from engines.wire.errors import UnknownName
from stress.faults.fault import Value


class Parameter(NamedTuple):
    """A number within `low` and `high` (both included); `default` None: it must be given.  `unit` for people."""

    name: str
    low: float
    high: float
    default: float | None
    unit: str

    def of(self, parameters: Mapping[str, Value]) -> float:
        """Its value among checked parameters."""
        value = parameters.get(self.name, self.default)
        if value is None:
            raise KeyError(self.name)
        return float(value)


def mistaken(parameters: Mapping[str, Value], known: Iterable[Parameter]) -> Iterator[str]:
    """Names that are not known, values that are no numbers or out of range, and what is missing."""
    by_name = {parameter.name: parameter for parameter in known}
    for name in parameters:
        if name not in by_name:
            yield str(UnknownName("parameter", name, by_name)) if by_name else f"{name}: it takes no parameters"
    for name, parameter in by_name.items():
        value = parameters.get(name, parameter.default)
        if value is None:
            yield f"{name} is missing ({parameter.unit})"
        elif isinstance(value, (str, bool)) or not parameter.low <= value <= parameter.high:
            yield f"{name} = {value!r}: a number from {parameter.low:g} to {parameter.high:g} ({parameter.unit})"


def unlike(target: str, targets: Iterable[str]) -> Iterator[str]:
    """What is said of a target that a kind does not take."""
    known = tuple(targets)
    if target not in known:
        yield f"it cannot be at {target!r}, only at: {', '.join(known)}"
