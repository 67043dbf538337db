"""Errors of the operator's side."""

from engines.wire.errors import NautilusError


class AlreadyRunning(NautilusError):
    """Another supervisor holds this fleet's lock."""


class TimedOut(NautilusError, TimeoutError):
    """Something did not happen in the time it was given; it may still."""


class OtherVersion(NautilusError):
    """This program and the running supervisor are of different versions and do not understand each other."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "This command and the running supervisor are of different versions.",
            why,
            "Restart the fleet with this version: nautilus down && nautilus up",
        )
