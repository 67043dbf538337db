"""The one error of the report side: what failed, why, and what to type next."""


class ReportError(Exception):
    """A run folder cannot be read or rendered.

    The three fields are those of the fleet's errors, so that the CLI shows both alike: sentences, the last one possibly
    empty.
    """

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        """All three as one paragraph."""
        return " ".join(part for part in (self.what, self.why, self.next_step) if part)
