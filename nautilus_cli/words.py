"""Numbers as people read them."""


def duration(seconds: float | None) -> str:
    """`1.24 s`, `42 s`, `3 m 05 s`, `2 h 07 m`, `3 d 4 h`; a dash when it is not known."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, left = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {left:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} m"
    return f"{hours // 24} d {hours % 24} h"


def number(value: float | None, digits: int = 1) -> str:
    """With thousands separated; a dash when it is not known."""
    return "-" if value is None else f"{value:,.{digits}f}"


def count(amount: int, noun: str) -> str:
    """`1 engine`, `3 engines`."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"
