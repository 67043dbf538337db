"""Settings of the websocket engine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Limits of the fan-out."""

    clients: int = 64  # more are refused with close code 1013 (try again later)
    queue: int = 256  # messages that wait for one client; older ones are dropped, and counted
    command_bytes: int = 4096  # longest command a client may send
    rate_s: int = 60  # seconds of message rates that are kept
    year: int = 252  # trading days behind a quote's high and low


CONFIG = Config()
