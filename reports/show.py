"""How values are written for people: one place, so that every renderer writes a figure alike."""

from reports.figures import Figure, Value

UNKNOWN = "UNKNOWN"
_PLAIN = frozenset({"text", ""})


def figure(item: Figure) -> str:
    """A figure with its unit."""
    return value(item.value, item.unit)


def bare(item: Figure) -> str:
    """A figure without its unit, for a table whose heading names it."""
    return number(item.value, item.unit)


def value(amount: Value, unit: str) -> str:
    """A value with its unit; bytes become megabytes of 10^6."""
    text = number(amount, unit)
    if amount is None or unit in _PLAIN:
        return text
    name = {"bytes": "MB"}.get(unit, unit)
    return f"{text} %" if name == "%" else f"{text} {name}"


def program(words: str) -> str:
    """A foreign engine's program as its run recorded it, the digest of its command cut to what tells two apart."""
    name, _, digest = words.rpartition(" sha256:")
    return f"{name} (command {digest[:12]})" if name else words


def number(amount: Value, unit: str) -> str:
    """A value in the digits that its unit deserves."""
    if amount is None:
        return UNKNOWN
    if isinstance(amount, str):
        return amount
    if unit == "bytes":
        return f"{amount / 1e6:,.1f}"
    if isinstance(amount, int):
        return f"{amount:,}"
    if amount == int(amount) and abs(amount) < 1e15 and unit not in {"ms", "s"}:
        return f"{int(amount):,}"
    if abs(amount) >= 1000:
        return f"{amount:,.0f}"
    if abs(amount) >= 100:
        return f"{amount:.1f}"
    return f"{amount:.3f}" if abs(amount) < 10 or unit == "%" else f"{amount:.2f}"
