"""Errors of the load generator."""

from engines.wire.errors import NautilusError


class LoadError(NautilusError):
    """A load plan cannot be run, or its generator failed."""
