"""What an operator asks for: one fleet."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from engines.fleet.policy import Rules
from engines.wire.settings import DEFAULT_FLEET


class Notify(msgspec.Struct, frozen=True, kw_only=True):
    """A command to run when an engine reaches one of these states; it is told through `NAUTILUS_EVENT` (JSON)."""

    command: tuple[str, ...] = ()
    on: tuple[Literal["crashed", "failed", "degraded", "ready"], ...] = ("failed",)


class FleetSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One fleet.  `port_offset` None: the first at which all ports are free; `home` None: `NAUTILUS_HOME` or XDG's.

    `engines` None: all that manifests declare, else these and what they start after.  `root` and `prefix` say where
    manifests lie and which package holds the engines.
    """

    name: str = DEFAULT_FLEET
    engines: tuple[str, ...] | None = None
    port_offset: int | None = 0
    host: str = "127.0.0.1"
    home: Path | None = None
    launch: Literal["auto", "zygote", "spawn"] = "auto"
    foreground: bool = False  # it ends with the process that launched it
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 0  # of every process of the fleet
    prefix: str = "engines"
    root: Path | None = None
    rules: Rules = Rules()
    listen: str = ""  # HOST:PORT of the control protocol over TCP, beside the Unix socket
    notify: Notify = Notify()
    drills: bool = False  # a mission's fleet: its engines play faults on themselves when asked


def encode(spec: FleetSpec) -> bytes:
    """One line of JSON."""
    return msgspec.json.encode(spec, enc_hook=str) + b"\n"


def decode(line: bytes) -> FleetSpec:
    """What `encode` wrote."""
    return msgspec.json.decode(line, type=FleetSpec, dec_hook=_path)


def _path(kind: type[Any], value: Any) -> Any:
    return kind(value)
