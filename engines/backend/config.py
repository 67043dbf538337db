"""Settings of the backend."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Grouping:
    """When recorded messages are committed: each DuckDB transaction costs milliseconds, however small it is."""

    wait_s: float = 0.2  # a message waits at most this long for others
    entries: int = 512  # this many waiting messages are committed at once, and hold up the reading
    bytes: int = 4 << 20  # so do this many bytes of bodies


@dataclass(frozen=True)
class Config:
    """Limits of the backend's memory and patience."""

    tape_rows: int = 20_000  # last trades kept in memory, all symbols together
    runs: int = 256  # traces kept in memory with their counts
    quiet_s: float = 1.0  # a closed run is exported when none of its messages came for so long
    lag_warn_s: float = 2.0  # age of the oldest uncommitted message
    lag_fail_s: float = 10.0
    size_warn: int = 8 << 30  # bytes of the DuckDB file


CONFIG = Config()
