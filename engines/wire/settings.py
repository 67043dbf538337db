"""What a process of the fleet is told through its environment, and nowhere else.

Secrets (bus URLs with their password, the fleet token) travel in the environment only: never in argv, logs or reports.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from engines.wire.errors import SettingsError

DEFAULT_FLEET = "default"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One process's settings.  Times are seconds, folders absolute."""

    fleet: str = DEFAULT_FLEET
    state: Path  # the fleet's own folder (0700): journal, logs, bus, store
    host: str = "127.0.0.1"
    port_offset: int = 0
    bus_main_url: str = ""
    bus_market_url: str = ""
    token: str = ""  # needed by every mutating route; empty refuses them all
    beat_file: Path | None = None  # heartbeat slots, see engines.wire.beat
    beat_slot: int = 0
    control_fd: int = -1  # read end of the supervisor's pipe: end of file means that it died
    supervisor_pid: int = 0
    zygote: bool = False  # this process was forked by the zygote
    drills: bool = False  # a mission's fleet: engines play faults on themselves when asked, see engines.kit.drill

    def to_env(self) -> dict[str, str]:
        """The variables that `from_env` reads back."""
        env = {
            "NAUTILUS_FLEET": self.fleet,
            "NAUTILUS_STATE": str(self.state),
            "NAUTILUS_HOST": self.host,
            "NAUTILUS_PORT_OFFSET": str(self.port_offset),
            "NAUTILUS_BUS_MAIN_URL": self.bus_main_url,
            "NAUTILUS_BUS_MARKET_URL": self.bus_market_url,
            "NAUTILUS_TOKEN": self.token,
            "NAUTILUS_BEAT_SLOT": str(self.beat_slot),
            "NAUTILUS_CONTROL_FD": str(self.control_fd),
            "NAUTILUS_SUPERVISOR_PID": str(self.supervisor_pid),
            "NAUTILUS_ZYGOTE": "1" if self.zygote else "0",
            "NAUTILUS_DRILLS": "1" if self.drills else "0",
        }
        if self.beat_file is not None:
            env["NAUTILUS_BEAT_FILE"] = str(self.beat_file)
        return env

    @property
    def store(self) -> Path:
        """The folder of the DuckDB file and the Parquet that everyone else reads."""
        return self.state / "store"


def home(env: Mapping[str, str] = os.environ) -> Path:
    """The folder of all fleets: `$NAUTILUS_HOME`, else the XDG state folder's `nautilus`."""
    if env.get("NAUTILUS_HOME"):
        return Path(env["NAUTILUS_HOME"]).expanduser().absolute()
    base = env.get("XDG_STATE_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".local" / "state")
    return Path(base).absolute() / "nautilus"


def from_env(env: Mapping[str, str] = os.environ) -> Settings:
    """Settings of this process.

    Raises:
        SettingsError: a number is not a number.
    """
    fleet = env.get("NAUTILUS_FLEET", DEFAULT_FLEET)
    beat = env.get("NAUTILUS_BEAT_FILE")
    return Settings(
        fleet=fleet,
        state=Path(env["NAUTILUS_STATE"]) if env.get("NAUTILUS_STATE") else home(env) / fleet,
        host=env.get("NAUTILUS_HOST", "127.0.0.1"),
        port_offset=_integer(env, "NAUTILUS_PORT_OFFSET", 0),
        bus_main_url=env.get("NAUTILUS_BUS_MAIN_URL", ""),
        bus_market_url=env.get("NAUTILUS_BUS_MARKET_URL", ""),
        token=env.get("NAUTILUS_TOKEN", ""),
        beat_file=Path(beat) if beat else None,
        beat_slot=_integer(env, "NAUTILUS_BEAT_SLOT", 0),
        control_fd=_integer(env, "NAUTILUS_CONTROL_FD", -1),
        supervisor_pid=_integer(env, "NAUTILUS_SUPERVISOR_PID", 0),
        zygote=env.get("NAUTILUS_ZYGOTE", "0") == "1",
        drills=env.get("NAUTILUS_DRILLS", "0") == "1",
    )


def _integer(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{name}={text!r} is not a whole number.", "", f"Unset {name} or give a number.") from None
