"""A fact, or why there is none."""

import msgspec


class NotAvailable(msgspec.Struct, frozen=True, tag="not available", tag_field="kind"):
    """Nobody told, or the machine lacks it; never a guess in its place."""

    why: str

    def __str__(self) -> str:
        """As it is shown."""
        return f"NOT AVAILABLE: {self.why}"
