"""Engines that are not ours: supervised, asked, restarted, reloaded and stopped as ours are."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toykit

from engines.fleet import api, audit, config, folders, process, rollout, scaffold
from engines.fleet.status import EngineHealth, EngineStatus, Event, FleetStatus
from engines.wire import project
from engines.wire.errors import ManifestErrors, NotRunning, UnknownName
from engines.wire.manifest import discover
from stress.load.plan import ClosedPhase, LoadPlan, mistakes
from stress.load.runner import run
from stress.targets import targets

TOY = Path(__file__).with_name("foreign_toy.py")
RULES = "[rules]\nstall_s = 0.5\ngrace_s = 1.0\nbase_s = 0.02\n"


class Desk:
    """A project of foreign engines only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(("web", "two", "three", "late"), sorted(toykit.free_ports(4)), strict=True))
        self.engines: dict[str, list[str]] = {}
        self.rules = RULES
        self.events: list[Event] = []
        self.where = folders.of("desk", folder / "home")

    def declare(self, name: str, *lines: str) -> None:
        """Give it, or change, an engine."""
        command = json.dumps([sys.executable, str(TOY), "{port}", name, str(self.folder)])
        rest = lines if any(line.startswith("health") for line in lines) else (self.health(), *lines)
        self.engines[name] = [f"command = {command}", f"port = {self.ports[name]}", "boot_s = 10", *rest]

    @staticmethod
    def health(more: str = "") -> str:
        return f'health = {{ path = "/h", every_s = 0.1, timeout_s = 0.3, failures = 2{more} }}'

    def write(self) -> None:
        names = json.dumps(list(self.engines))
        fleet = f'[fleet]\nname = "desk"\nhome = "home"\nlaunch = "spawn"\nengines = {names}\n'
        tables = [f"[engines.{name}]\n" + "\n".join(lines) for name, lines in self.engines.items()]
        (self.folder / project.FILE).write_text("\n".join([fleet, self.rules, *tables]) + "\n")

    def up(self) -> FleetStatus:
        self.write()
        found = config.load()
        return api.up(config.spec(found, home=found.get("fleet.home")), None, self.events.append, 30.0)

    def habit(self, name: str, text: str = "") -> None:
        (self.folder / f"habit-{name}").write_text(text)

    def diary(self, name: str) -> list[tuple[str, float]]:
        path = self.folder / f"diary-{name}"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(word, float(at)) for word, at in (line.split() for line in lines)]

    def engine(self, name: str) -> EngineStatus:
        return next(each for each in api.status("desk", home=self.folder / "home").engines if each.name == name)

    def health_of(self, name: str) -> EngineHealth:
        return next(each for each in api.health("desk", home=self.folder / "home") if each.name == name)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < end, f"{what}: {api.status('desk', home=self.folder / 'home')}"
            time.sleep(0.02)

    def back(self, name: str, pid: int | None) -> bool:
        now = self.engine(name)
        return now.state == "ready" and now.pid != pid


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name in ("NAUTILUS_HOME", "NAUTILUS_FLEET", "NAUTILUS_PORT_OFFSET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(project.VARIABLE, str(tmp_path))
    one = Desk(tmp_path)
    one.declare("web")
    yield one
    with contextlib.suppress(NotRunning):
        api.down("desk", True, home=tmp_path / "home")
    left = process.wait_gone(process.members(one.where.state), 5.0)
    assert left == [], f"orphans: {left}"


def test_up_health_kill_restart_down(desk: Desk) -> None:
    desk.declare("late", 'after = ["web"]', 'title = "Late one"')
    now = desk.up()
    assert [(e.name, e.state) for e in now.wanted] == [("web", "ready"), ("late", "ready")] and now.healthy
    assert desk.diary("late")[0][1] > desk.diary("web")[0][1], "after what it starts after"
    health = desk.health_of("late")
    assert (health.status, health.title, health.checks, health.features) == ("healthy", "Late one", (), ())
    assert health.response_ms is not None and health.uptime_s is not None and health.pid == desk.engine("late").pid
    pid = desk.engine("web").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    desk.until(lambda: desk.back("web", pid), "it comes back")
    assert (desk.engine("web").restarts, desk.engine("web").cause) == (1, "killed by SIGKILL")
    pid = desk.engine("web").pid
    rollout.restart("desk", "web", home=desk.folder / "home")
    assert desk.back("web", pid) and [word for word, _ in desk.diary("web")][-2:] == ["SIGTERM", "start"]
    api.down("desk", home=desk.folder / "home")
    stops = {name: next(at for word, at in reversed(desk.diary(name)) if word == "SIGTERM") for name in ("web", "late")}
    assert stops["late"] < stops["web"], "in reverse order"


@pytest.mark.parametrize("habit", ["hang", "refuse", "unwell"])
def test_health_that_fails_in_a_row_is_a_stall(desk: Desk, habit: str) -> None:
    desk.declare("web", desk.health(', field = "state.ok", equals = true'))
    desk.up()
    pid = desk.engine("web").pid
    desk.habit("web", habit)
    desk.until(lambda: desk.engine("web").state == "degraded", "first it is degraded")
    shown = desk.health_of("web").status
    assert shown == ("down" if habit == "hang" else "degraded")
    if habit == "refuse":
        assert "GET /h says HTTP/1.1 503" in desk.health_of("web").checks[0].detail
    desk.until(lambda: "its health path failed" in desk.engine("web").cause, "then it is a stall")
    desk.habit("web")
    desk.until(lambda: desk.back("web", pid), "and it is restarted")


def test_one_failure_is_none(desk: Desk) -> None:
    desk.declare("web", 'health = { path = "/h", every_s = 0.1, failures = 1000 }')
    desk.up()
    pid = desk.engine("web").pid
    desk.habit("web", "refuse")
    desk.until(lambda: desk.engine("web").state == "degraded", "it is degraded")
    desk.habit("web")
    desk.until(lambda: desk.engine("web").state == "ready", "and ready again")
    assert (desk.engine("web").pid, desk.engine("web").restarts) == (pid, 0)


def test_its_own_signal_its_own_grace_and_its_whole_group(desk: Desk) -> None:
    desk.declare("web", 'stop = { signal = "INT", grace_s = 0.3 }')
    desk.habit("web", "children")
    desk.up()
    members = process.members(desk.where.state)
    assert len(members) == 4, "the toy, its child, two buses"
    desk.habit("web", "deaf")
    rollout.restart("desk", "web", home=desk.folder / "home")
    assert [word for word, _ in desk.diary("web")] == ["start", "SIGINT", "start"]
    assert "did not stop within 0.3 s" in desk.engine("web").cause
    assert len(process.members(desk.where.state)) == 3, "its child ended with it"


def test_it_is_told_no_secret(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_SECRET", "planted")
    desk.declare("web", 'env = { MODE = "x" }', 'pass_env = ["NAUTILUS_FLEET"]')
    now = desk.up()
    with socket.create_connection(("127.0.0.1", now.wanted[0].port), 5) as link:
        link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        with link.makefile("rb") as reply:
            names = json.loads(reply.read().partition(b"\r\n\r\n")[2])["env"]
    assert {"MODE", "NAUTILUS_PORT", "PORT", "NAUTILUS_FLEET"} <= set(names)
    assert not {"PLANTED_SECRET", "NAUTILUS_TOKEN", "NAUTILUS_BUS_MAIN_URL"} & set(names)


def test_a_missing_program_is_said_before_anything_starts(desk: Desk) -> None:
    desk.engines["web"] = ['command = ["no-such-program", "{port}"]', f"port = {desk.ports['web']}"]
    with pytest.raises(ManifestErrors, match="'no-such-program' is no program"):
        desk.up()
    assert process.members(desk.where.state) == []


def test_it_is_under_load_like_ours(desk: Desk) -> None:
    check = 'check = { field = "value", low = 7, high = 7 }'
    desk.declare("web", "[[engines.web.load]]", 'mix = "compute"', 'path = "/v"', check)
    now = desk.up()
    (target,) = targets(discover(), now, "compute", 4)
    assert (target.name, target.requests[0].path) == ("web", "/v")
    plan = LoadPlan((target,), (ClosedPhase("closed", 2, 0.5),), sample_every=1)
    assert mistakes(plan) == []
    counts = asyncio.run(run(plan, desk.folder / "load", lambda _: None)).phases[-1].targets["web"].counts
    assert counts.done > 10 and not counts.failed, "and every reply held what it should"


def test_reload_adds_changes_and_removes(desk: Desk) -> None:
    desk.declare("two", 'env = { KEY = "planted-1" }')
    before = {e.name: e.pid for e in desk.up().wanted}
    home = desk.folder / "home"
    assert rollout.reload("desk", home=home)[0].empty
    desk.declare("three", 'after = ["two"]')
    desk.declare("two", 'env = { KEY = "planted-2" }')
    desk.declare("web", 'title = "New title"')
    desk.rules = RULES.replace("grace_s = 1.0", "grace_s = 2.0")
    desk.write()
    found, rolled = rollout.reload("desk", home=home, dry=True)
    assert (found.added, found.removed, found.restarts, rolled) == (("three",), (), ("two",), None)
    assert {e.name: e.pid for e in api.status("desk", home=home).wanted} == before, "nothing was done"
    found, rolled = rollout.reload("desk", home=home)
    assert rolled is not None and rolled.done == ("two",) and [c.field for c in found.rules] == ["grace_s"]
    desk.until(lambda: desk.engine("three").state == "ready", "the added one")
    after = {e.name: e.pid for e in api.status("desk", home=home).wanted}
    assert after["web"] == before["web"] and desk.engine("web").title == "New title", "changed under a running engine"
    assert after["two"] != before["two"] and rollout.reload("desk", home=home)[0].empty
    del desk.engines["two"]
    desk.declare("three")
    desk.write()
    found, _ = rollout.reload("desk", home=home)
    assert found.removed == ("two",)
    desk.until(lambda: "two" not in {e.name for e in api.status("desk", home=home).engines}, "it is forgotten")
    assert [word for word, _ in desk.diary("two")][-1] == "SIGTERM" and desk.engine("three").state == "ready"
    log = desk.where.audit.read_text()
    assert "planted" not in log and {e.op for e in audit.read(desk.where.audit)} == {"up", "reload"}


def test_a_mistake_changes_nothing(desk: Desk) -> None:
    desk.declare("two")
    before = {e.name: e.pid for e in desk.up().wanted}
    home = desk.folder / "home"
    desk.declare("two", 'after = ["tree"]', "oops = 1")
    desk.declare("three")
    desk.write()
    with pytest.raises(ManifestErrors) as caught:
        rollout.reload("desk", home=home)
    assert "oops" in str(caught.value)
    desk.declare("two")
    desk.engines["three"][0] = 'command = ["no-such-program"]'
    desk.write()
    with pytest.raises(ManifestErrors, match="no-such-program"):
        rollout.reload("desk", home=home)
    assert {e.name: e.pid for e in api.status("desk", home=home).wanted} == before
    refused = [e.outcome for e in audit.read(desk.where.audit) if e.op == "reload"]
    assert len(refused) == 2 and all(outcome.startswith("refused: ") for outcome in refused)


def test_a_rolling_restart_stops_where_one_fails(desk: Desk) -> None:
    desk.declare("two", 'after = ["web"]')
    desk.declare("three", 'after = ["two"]')
    desk.up()
    home = desk.folder / "home"
    assert rollout.rolling("desk", home=home, dry=True).planned == ("web", "two", "three")
    found = rollout.rolling("desk", home=home)
    assert found.done == ("web", "two", "three")
    starts = [desk.diary(name)[-1][1] for name in ("web", "two", "three")]
    assert starts == sorted(starts)
    desk.habit("two", "refuse")
    desk.until(lambda: desk.engine("two").state != "ready", "it is unwell")
    found = rollout.rolling("desk", ("three", "web"), home=home, timeout=0.5)
    assert found.failed == "web" and "two is" in found.why and found.left == ("three",)
    with pytest.raises(UnknownName):
        rollout.rolling("desk", ("tree",), home=home)
    desk.habit("two")


def test_the_control_protocol_over_tcp(desk: Desk) -> None:
    (port,) = toykit.free_ports(1)
    desk.rules += f'[control]\nlisten = "127.0.0.1:{port}"\n'
    desk.up()
    token = api.token("desk", home=desk.folder / "home")

    def ask(**request: object) -> dict[str, object]:
        with socket.create_connection(("127.0.0.1", port), 5) as link, link.makefile("rb") as lines:
            link.sendall(json.dumps({**request, "protocol": 1}).encode() + b"\n")
            return json.loads(lines.readline())  # type: ignore[no-any-return]

    assert ask(op="status")["ok"] is False
    assert ask(op="status", token=token)["ok"] is True
    assert ask(op="restart", engines=["web"], token=token)["ok"] is True
    entry = audit.read(desk.where.audit)[-1]
    assert (entry.op, entry.engines) == ("restart", ("web",)) and entry.address.startswith("127.0.0.1:")
    assert token not in desk.where.audit.read_text()


def test_a_newer_state_is_refused(desk: Desk) -> None:
    folders.make(desk.where)
    (desk.where.state / "schema.json").write_text('{"state": 99, "written_by": "9.9"}')
    with pytest.raises(Exception, match="newer version"):
        desk.up()
    assert process.members(desk.where.state) == []


NAUTILUS = Path(sys.executable).with_name("nautilus")


def follow(desk: Desk, *before: str) -> tuple["subprocess.Popen[str]", socket.socket]:
    """`nautilus up --foreground`, and the service manager that hears it, once it is ready."""
    desk.write()
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(desk.folder / "n"))
    manager.settimeout(20)
    env = {**os.environ, "NOTIFY_SOCKET": str(desk.folder / "n")}
    command = [*before, str(NAUTILUS), "up", "--foreground"]
    client = subprocess.Popen(command, env=env, cwd=desk.folder, stderr=subprocess.PIPE, text=True)
    said = b""
    while not said.startswith(b"READY=1"):
        said = manager.recv(4096)
    assert b"1 of 1 engines ready" in said
    return client, manager


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_the_foreground_is_fit_for_a_service_manager(desk: Desk, number: signal.Signals, code: int) -> None:
    client, manager = follow(desk)
    with client, manager:
        client.send_signal(number)
        while manager.recv(4096) != b"STOPPING=1":
            pass
        assert client.wait(20) == code
    assert desk.diary("web")[-1][0] == "SIGTERM" and process.members(desk.where.state) == []


def test_a_supervisor_that_is_killed_is_a_failure_of_the_foreground(desk: Desk) -> None:
    client, manager = follow(desk)
    with client, manager:
        supervisor = api.status("desk", home=desk.folder / "home").supervisor.pid
        os.kill(supervisor, signal.SIGKILL)
        assert client.wait(20) == 1
        assert client.stderr is not None and "The supervisor ended by signal 9." in client.stderr.read()
    with contextlib.suppress(NotRunning):
        api.down("desk", home=desk.folder / "home")


def inside(pid: int) -> list[tuple[int, str, str]]:
    """(pid in its namespace, name, state) of the children of a process, as seen from here."""
    found = []
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        if fields["PPid"].strip() == str(pid):
            found.append((int(fields["NSpid"].split()[-1]), fields["Name"], fields["State"]))
    return found


def test_as_pid_1_it_stops_in_order_and_buries_orphans(desk: Desk) -> None:
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    try:
        tried = subprocess.run([*unshare, "true"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if tried.returncode != 0:
        pytest.skip(f"a process namespace of its own is not permitted: {tried.stderr.strip()}")
    orphan = ["sh", "-c", '(sleep 0.05 &); exec "$@"', "sh"]  # which becomes a child of PID 1
    client, manager = follow(desk, *unshare, *orphan)
    with client, manager:
        (pid1,) = children(client.pid)
        first = inside(pid1)
        assert [name for _, name, _ in first if name == "sleep"] == [], f"the orphan was buried: {first}"
        assert all(not state.startswith("Z") for _, _, state in first)
        os.kill(pid1, signal.SIGTERM)
        assert client.wait(20) == 143
    assert desk.diary("web")[-1][0] == "SIGTERM", "the engines were told before the namespace ended"


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("launch", ["spawn", "zygote"])
def test_a_native_engine_of_the_project(desk: Desk, launch: str) -> None:
    if launch == "zygote" and not process.LINUX:
        pytest.skip("the zygote is Linux's")
    scaffold.engine("pricer", desk.folder, discover())
    manifest = desk.folder / "engines/pricer/engine.toml"
    text = manifest.read_text().replace('after = ["marketdata"]', 'after = ["web"]')
    manifest.write_text(text.replace("port = 10100", f"port = {desk.ports['two']}"))
    desk.write()
    text = (desk.folder / project.FILE).read_text().replace('"spawn"', f'"{launch}"').replace('["web"]', '["pricer"]')
    (desk.folder / project.FILE).write_text(text)
    found = config.load()
    now = api.up(config.spec(found, home=found.get("fleet.home")), None, desk.events.append, 60.0)
    assert {(e.name, e.state) for e in now.wanted} == {("web", "ready"), ("pricer", "ready")}
    report = desk.health_of("pricer")
    assert report.features == ("mean price of 0 symbols over 100 trades",) and report.checks
