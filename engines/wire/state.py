"""The states of a supervised engine."""

import enum


class EngineState(enum.IntEnum):
    """Where an engine stands.  The supervisor's loop decides; children only report."""

    DECLARED = 0  # a manifest names it, nothing was started
    STARTING = 1  # a process exists, it is not ready
    READY = 2  # bus round trips done, data loaded, kernels warm
    DEGRADED = 3  # it runs, but a check fails
    HALTED = 4  # it runs, but no order leaves
    STOPPING = 5  # it was told to stop
    STOPPED = 6  # it ended as it was told
    CRASHED = 7  # it ended on its own
    BACKOFF = 8  # it waits to be started again
    FAILED = 9  # it crashed too often, or said that it cannot succeed

    @property
    def alive(self) -> bool:
        """A process is expected to exist."""
        return self in _ALIVE


_ALIVE = frozenset(
    {EngineState.STARTING, EngineState.READY, EngineState.DEGRADED, EngineState.HALTED, EngineState.STOPPING}
)
