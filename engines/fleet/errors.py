"""Errors of the operator's side."""

from engines.wire.errors import NautilusError


class AlreadyRunning(NautilusError):
    """Another supervisor holds this fleet's lock."""


class TimedOut(NautilusError, TimeoutError):
    """Something did not happen in the time it was given; it may still."""
