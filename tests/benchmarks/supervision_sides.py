"""The sides of bench_supervision: nautilus, and peers that run the same engines from configurations of their own.

A peer's configuration is written into a temporary folder.  It starts all engines at once and restarts what ends; all
else stays as the peer ships it, but where it says so here.  Peers have two buses that are already running (time that
the fleet has to spend itself) and neither wait for dependencies nor drain, which the engines can do without.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from engines.fleet import api, buses, child, folders, process
from engines.wire.manifest import Manifest
from engines.wire.settings import Settings

OFFSET = 17_000
PEERS = Path("build/bench-peers/bin")
ROOT = Path(__file__).parents[2]
NULL = subprocess.DEVNULL


class Side:
    """One supervisor.  `restarts`: it starts again what ends."""

    name = ""
    binary = ""
    restarts = True

    def __init__(self, folder: Path, engines: Sequence[Manifest], env: dict[str, str]) -> None:
        self.folder = folder
        self.engines = engines
        self.env = env
        self.daemon: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        """Begin; returns before the engines are ready."""
        raise NotImplementedError

    def down(self) -> None:
        """Stop everything, and return when the peer's own command does."""
        raise NotImplementedError

    def status(self) -> list[str]:
        """The command that shows the state of all; empty when there is none."""
        return []

    def supervisors(self) -> list[int]:
        """The processes that supervise."""
        return [self.daemon.pid] if self.daemon is not None else []

    def helpers(self) -> list[int]:
        """Processes beside them that are neither engines nor buses: a fork server."""
        return []

    def close(self) -> None:
        """Collect the daemon."""
        if self.daemon is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.daemon.wait(20.0)
            if self.daemon.poll() is None:
                self.daemon.kill()
                self.daemon.wait()
            self.daemon = None

    def _begin(self, *command: str) -> None:
        self.daemon = subprocess.Popen(
            command, cwd=ROOT, env=self.env, stdin=NULL, stdout=NULL, stderr=NULL, start_new_session=True
        )

    def _run(self, *command: str) -> None:
        subprocess.run(
            command, cwd=self.folder, env=self.env, stdin=NULL, stdout=NULL, stderr=NULL, timeout=60, check=True
        )


class Nautilus(Side):
    """The command line as users have it."""

    name = "nautilus"
    command = str(Path(sys.executable).with_name("nautilus"))

    def up(self) -> None:
        self._begin(self.command, "up", "--port-offset", str(OFFSET), "-q")

    def down(self) -> None:
        self._run(self.command, "down", "-q")

    def status(self) -> list[str]:
        return [self.command, "status", "--json"]

    def supervisors(self) -> list[int]:
        return [api.status("bench", home=self.folder).supervisor.pid]

    def helpers(self) -> list[int]:
        now = api.status("bench", home=self.folder)
        known = {now.supervisor.pid, *(e.pid for e in now.engines), *(b.pid for b in now.buses)}
        return [each.pid for each in process.members(Path(now.paths.state)) if each.pid not in known]


class Honcho(Side):
    """One end stops all: it restarts nothing, and has no client."""

    name = "honcho"
    binary = "honcho"
    restarts = False

    def up(self) -> None:
        file = self.folder / "Procfile"
        file.write_text("".join(f"{m.name}: exec {sys.executable} -m engines.{m.name}\n" for m in self.engines))
        self._begin(str(PEERS / "honcho"), "-f", str(file), "-d", str(ROOT), "start")

    def down(self) -> None:
        assert self.daemon is not None
        self.daemon.terminate()
        self.daemon.wait(60)


class Supervisord(Side):
    """`autorestart=true`: without it an end by a signal is restarted only after a second of running."""

    name = "supervisord"
    binary = "supervisord"

    def up(self) -> None:
        socket = self.folder / "s"
        head = (
            f"[unix_http_server]\nfile={socket}\n[supervisord]\nnodaemon=true\nlogfile={self.folder}/supervisord.log\n"
            f"pidfile={self.folder}/supervisord.pid\nchildlogdir={self.folder}\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[supervisorctl]\nserverurl=unix://{socket}\n"
        )
        programs = "".join(
            f"[program:{m.name}]\ncommand={sys.executable} -m engines.{m.name}\ndirectory={ROOT}\nautorestart=true\n"
            for m in self.engines
        )
        (self.folder / "supervisord.conf").write_text(head + programs)
        self._begin(str(PEERS / "supervisord"), "-c", str(self.folder / "supervisord.conf"))

    def down(self) -> None:
        self._run(*self._control("shutdown"))
        assert self.daemon is not None
        self.daemon.wait(60)

    def status(self) -> list[str]:
        return self._control("status")

    def _control(self, word: str) -> list[str]:
        return [str(PEERS.absolute() / "supervisorctl"), "-c", str(self.folder / "supervisord.conf"), word]


class Circus(Side):
    """Endpoints on ports of this benchmark."""

    name = "circus"
    binary = "circusd"
    endpoint = f"tcp://127.0.0.1:{OFFSET + 5_555}"

    def up(self) -> None:
        head = f"[circus]\nendpoint = {self.endpoint}\npubsub_endpoint = tcp://127.0.0.1:{OFFSET + 5_556}\n"
        watchers = "".join(
            f"[watcher:{m.name}]\ncmd = {sys.executable} -m engines.{m.name}\nworking_dir = {ROOT}\ncopy_env = True\n"
            for m in self.engines
        )
        (self.folder / "circus.ini").write_text(head + watchers)
        self._begin(str(PEERS / "circusd"), str(self.folder / "circus.ini"))

    def down(self) -> None:
        self._run(*self._control("quit"))
        assert self.daemon is not None
        self.daemon.wait(60)

    def status(self) -> list[str]:
        return self._control("status")

    def _control(self, word: str) -> list[str]:
        return [str(PEERS.absolute() / "circusctl"), "--endpoint", self.endpoint, word]


class Dekit(Side):
    """A native binary.  Its runner is a process of its own, found by `runner status`."""

    name = "dekit"
    binary = "dekit"

    def __init__(self, folder: Path, engines: Sequence[Manifest], env: dict[str, str]) -> None:
        super().__init__(folder, engines, env)
        runtime = folder / "r"
        runtime.mkdir(mode=0o700)
        self.env = {**env, "HOME": str(folder), "XDG_RUNTIME_DIR": str(runtime)}
        self._known: list[int] = []

    def up(self) -> None:
        tasks = {
            m.name: {
                "cmd": [sys.executable, "-m", f"engines.{m.name}"],
                "cwd": str(ROOT),
                "autostart": True,
                "autorestart": "always",
                "ready": {"http": f"http://127.0.0.1:{m.port + OFFSET}/ready", "interval": "100ms"},
            }
            for m in self.engines
        }
        (self.folder / "dekit.yaml").write_text(json.dumps({"tasks": tasks}))  # JSON is YAML
        self._run(*self._control("up"))
        said = subprocess.run(
            self._control("runner", "status", "--json"), cwd=self.folder, env=self.env, capture_output=True, check=True
        )
        self._known = [json.loads(said.stdout)["pid"]]

    def down(self) -> None:
        self._run(*self._control("down"))

    def status(self) -> list[str]:
        return self._control("ls")

    def supervisors(self) -> list[int]:
        return self._known

    @staticmethod
    def _control(*words: str) -> list[str]:
        return [str(PEERS.absolute() / "dekit"), *words]


SIDES: tuple[type[Side], ...] = (Nautilus, Honcho, Supervisord, Circus, Dekit)


def installed(kind: type[Side]) -> bool:
    """Whether a side can be measured here."""
    return kind is Nautilus or (PEERS / kind.binary).exists()


@contextlib.contextmanager
def prepared(kind: type[Side], home: Path, engines: Sequence[Manifest]) -> Iterator[Side]:
    """A side in a folder of its own; peers with their two buses, which are stopped afterwards."""
    folder = home / kind.name
    folder.mkdir(exist_ok=True)
    if kind is Nautilus:
        yield kind(folder, engines, {**os.environ, "NAUTILUS_HOME": str(folder), "NAUTILUS_FLEET": "bench"})
        return
    where = folders.of(f"bench-{kind.name}", home)
    folders.make(where)
    pair = buses.declare(where, buses.load_secrets(where.secrets), {})
    servers = [buses.launch(bus, buses.find_server(os.environ), where) for bus in pair]
    try:
        while not all(buses.working(bus) for bus in pair):
            time.sleep(0.01)
        main, market = (bus.url for bus in pair)
        settings = Settings(
            state=where.state, port_offset=OFFSET, bus_main_url=main, bus_market_url=market, token="bench"
        )
        yield kind(folder, engines, child.single_threaded({**os.environ, **settings.to_env()}))
    finally:
        for pid in servers:
            identity = process.identify(pid)
            process.end([identity] if identity else [], 5.0)
            os.waitpid(pid, 0)
