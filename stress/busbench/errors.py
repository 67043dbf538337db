"""Errors of the bus benchmark."""

from engines.wire.errors import NautilusError


class BenchError(NautilusError):
    """A server, publisher or subscriber of the benchmark failed: there is no figure."""
