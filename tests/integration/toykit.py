"""Toy engines with the real contract (heartbeat slot, control pipe, SIGTERM, exit codes), and a package of them.

A toy's habits are read from `<state>/habits/<name>` at each start, so that a test changes them while the fleet runs.
"""

import ctypes
import faulthandler
import json
import os
import random
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from engines.wire.beat import Beats, Pulse
from engines.wire.health import HealthReport
from engines.wire.leash import HALT, RESUME
from engines.wire.settings import Settings, from_env
from engines.wire.state import EngineState

HABITS = (
    "crash", "permanent", "deaf", "stall", "never-ready", "flood", "torrent", "children", "degraded", "crash-once",
    "clean", "segfault", "fat", "slow-boot", "orders", "stubborn", "stuck",
)  # fmt: skip
_WORDS = {HALT: "told to halt", RESUME: "resumed", b"": "halted"}
FAT_BYTES = 60_000_000


def write_package(root: Path, engines: dict[str, dict[str, object]], package: str = "toys") -> Path:
    """A package of toy engines under `root`; each entry holds the manifest's own fields. Returns the manifest root."""
    folder = root / package
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    for (name, fields), port in zip(engines.items(), free_ports(len(engines)), strict=True):
        home = folder / name
        home.mkdir()
        (home / "__init__.py").write_text("")
        (home / "__main__.py").write_text(
            f"from toykit import run\n\n\ndef main():\n    return run({name!r})\n\n\n"
            "if __name__ == '__main__':\n    raise SystemExit(main())\n"
        )
        facts = {"name": name, "title": f"Toy {name}", "port": port, **fields}
        (home / "engine.toml").write_text("".join(f"{key} = {_toml(value)}\n" for key, value in facts.items()))
    return folder


def free_ports(count: int) -> list[int]:
    """Ports that nobody holds now, below the ephemeral ones, with room for an offset above."""
    found: list[int] = []
    for port in random.sample(range(11_000, 32_000), 500):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


def run(name: str) -> int:
    """One toy engine."""
    settings = from_env()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    path = settings.state / "habits" / name
    habits = path.read_text().split() if path.exists() else []
    note(settings.state, name, f"start {os.getpid()} parent {os.getppid()}")
    if "crash" in habits:
        sys.stdout.write("toy crashes: the reason is in its last line\n")
        return 3
    if "inspect" in habits:
        (settings.state / f"inspect-{name}").write_text(json.dumps(_inspection()))
    if "bare" in habits:  # no parent-death signal: only the control pipe is left
        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
    if "crash-once" in habits:
        path.write_text("")
        return 3
    if "segfault" in habits:
        faulthandler.enable()
        faulthandler._sigsegv()  # type: ignore[attr-defined]
    if "slow-boot" in habits:
        time.sleep(0.4)
    if "permanent" in habits:
        return 78
    if "clean" in habits:
        return 0
    return _Toy(name, settings, habits).loop()


def _inspection() -> dict[str, object]:
    """What a process can see of how it was born (Linux)."""
    armed = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(armed), 0, 0, 0)
    links = {int(fd.name): str(fd.readlink()) for fd in list(Path("/proc/self/fd").iterdir()) if fd.exists()}
    return {
        "pid": os.getpid(),
        "session": os.getsid(0),
        "group": os.getpgid(0),
        "parent": os.getppid(),
        "armed": armed.value,
        "fds": links,
        "control": from_env().control_fd,
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "random": random.random(),
        "numpy": __import__("numpy").random.random(),
        "blas": os.environ.get("OPENBLAS_NUM_THREADS"),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "name": Path("/proc/self/comm").read_text().strip(),
        "modules": sorted(sys.modules),
        "argv": sys.argv,
    }


class _Toy:
    def __init__(self, name: str, settings: Settings, habits: list[str]) -> None:
        assert settings.beat_file is not None
        self.name, self.settings, self.habits = name, settings, habits
        self.beats = Beats(settings.beat_file, settings.beat_slot + 1)
        self.told = False
        self.halted = False
        self.orders = 2 if "orders" in habits or "stubborn" in habits else 0
        self.fat = bytearray(os.urandom(1000) * (FAT_BYTES // 1000)) if "fat" in habits else b""
        signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in habits else self._stop)
        port = int(next(line for line in _manifest(name) if line.startswith("port")).split("=")[1])
        self.port = port + settings.port_offset
        self.server = socket.create_server((settings.host, self.port))
        if "children" in habits:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)

    def _stop(self, _number: int, _frame: object) -> None:
        self.told = True

    def loop(self) -> int:
        """Beat, answer, watch the control pipe."""
        born = time.monotonic()
        while not self.told:
            stalled = "stall" in self.habits and time.monotonic() - born > 0.3
            if not stalled:
                self._beat(EngineState.STARTING if "never-ready" in self.habits else EngineState.READY)
            if "stuck" in self.habits and self._marked("stick"):
                ctypes.PyDLL(None).sleep(600)  # in C, and the interpreter's lock is held
            if "torrent" in self.habits:
                sys.stdout.write(("x" * 119 + "\n") * 80_000)
                continue
            if "flood" in self.habits:
                sys.stdout.write("x" * 119 + "\n" * 1)
                sys.stdout.write(("x" * 119 + "\n") * 20_000)
            ready, _, _ = select.select([self.server, self.settings.control_fd], [], [], 0.05)
            if self.settings.control_fd in ready and not self._hear(os.read(self.settings.control_fd, 1)):
                return 0
            if self.server in ready:
                self._answer()
        note(self.settings.state, self.name, f"stopped {time.monotonic()}")
        return 0

    def _marked(self, name: str) -> bool:
        return (self.settings.state / name).exists()

    def _hear(self, word: bytes) -> bool:
        """A word of the supervisor; False when it is gone."""
        note(self.settings.state, self.name, f"{_WORDS[word]} {time.monotonic()}")
        self.halted = word == HALT
        if self.halted and "stubborn" not in self.habits:
            self.orders = 0
        return word != b""

    def _beat(self, state: EngineState) -> None:
        if "degraded" in self.habits:
            state = EngineState.DEGRADED
        if self.halted:
            state = EngineState.HALTED
        now = time.monotonic_ns()
        self.beats.write(self.settings.beat_slot, Pulse(os.getpid(), state, now, now, 0, self.orders))

    def _answer(self) -> None:
        import msgspec

        link, _ = self.server.accept()
        link.settimeout(0.2)
        try:
            if not link.recv(4096):
                return
            report = HealthReport(
                name=self.name, title="Toy", port=self.port, status="healthy", pid=os.getpid(),
                started_at="2026-01-01T00:00:00Z", uptime_s=1.0, version="0", features=("toy",),
            )  # fmt: skip
            body = msgspec.json.encode(report)
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except OSError:
            pass  # a port check connects and says nothing
        finally:
            link.close()


def note(state: Path, name: str, text: str) -> None:
    """One line in the toy's diary."""
    with (state / f"diary-{name}").open("a") as file:
        file.write(text + "\n")


def _manifest(name: str) -> list[str]:
    import toys  # type: ignore[import-not-found] # written by the test

    return (Path(toys.__file__).parent / name / "engine.toml").read_text().splitlines()


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
