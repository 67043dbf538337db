"""`nautilus init engine --replaces` and a foreign engine: in a fleet, and through a whole mission."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import toykit

from engines.fleet import api, config, folders, process, scaffold
from engines.wire import project
from engines.wire.manifest import discover
from reports import verify

TOY = Path(__file__).with_name("foreign_toy.py")
MISSION = """\
name = "own"
title = "Engines of one's own"
summary = "One in the place of ours and one that is a command: at rest, then each is killed."
seed = 1
abort = ["engines_down >= 1"] # bears what is announced

[[phases]]
role = "idle"
seconds = 1

[[phases]]
role = "faults"
kinds = ["kill"]
targets = ["vpin", "web"]
"""
CRITERIA = ("engines-alive", "availability", "honest-health", "faults-proven", "recovery-complete", "zero-loss")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an engine in the place of vpin, as `init` writes it."""
    for name in ("NAUTILUS_HOME", "NAUTILUS_FLEET", "NAUTILUS_PORT_OFFSET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(project.VARIABLE, str(tmp_path))
    begun = scaffold.engine("mine", tmp_path, discover(), "vpin")
    assert (begun.replaces, begun.port) == ("vpin", 10_000)
    return tmp_path


def test_it_comes_up_in_place_of_the_other_and_is_asked_for_its_health(desk: Path) -> None:
    manifest = desk / "engines/mine/engine.toml"
    manifest.write_text(manifest.read_text().replace("title", f"after = []\nport = {toykit.free_ports(1)[0]}\ntitle"))
    (desk / project.FILE).write_text('[fleet]\nname = "desk"\nhome = "home"\nlaunch = "spawn"\nengines = ["vpin"]\n')
    found, home = config.load(), desk / "home"
    try:
        now = api.up(config.spec(found, home=found.get("fleet.home")), None, lambda _event: None, 60.0)
        up = [(e.name, e.state, e.origin) for e in now.wanted]
        assert up == [("vpin", "ready", str(desk / "engines/mine"))]
        (report,) = api.health("desk", home=home)
        assert (report.name, report.title, report.status) == ("vpin", "Mine Engine", "healthy")
        assert report.features == ("mean price of 0 symbols over 100 trades",)
    finally:
        api.down("desk", True, home=home)
    assert process.wait_gone(process.members(folders.of("desk", home).state), 5.0) == []


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_a_whole_mission_flies_both_and_names_the_replaced_one(desk: Path) -> None:
    command = json.dumps([sys.executable, str(TOY), "{port}", "web", str(desk)])
    settings = f'[engines.web]\ncommand = {command}\nport = 10100\nhealth = {{ path = "/h", every_s = 0.1 }}\n'
    (desk / project.FILE).write_text(settings)
    (desk / "own.toml").write_text(MISSION + "".join(f'\n[[criteria]]\nid = "{name}"\n' for name in CRITERIA))
    said = subprocess.run(
        [sys.executable, "-m", "nautilus_cli", "stress", "run", desk / "own.toml", "--no-plots", "--json",
         "--runs", desk / "runs"],
        env={**os.environ, "NAUTILUS_HOME": str(desk / "home")}, capture_output=True, text=True, timeout=140,
    )  # fmt: skip
    document: dict[str, Any] = json.loads(said.stdout)
    verdicts = {item["id"]: item["verdict"] for item in document["criteria"]}
    assert verdicts.keys() >= set(CRITERIA) and set(verdicts.values()) <= {"ACHIEVED", "EXCEEDED"}, verdicts
    folder = Path(document["folder"])
    report = (folder / "REPORT.md").read_text("utf-8")
    assert f"- vpin: replaced by {desk / 'engines/mine'}." in report and "14 engines of 14 declared" in report
    assert verify.verify(folder).ok
    assert [line.split()[0] for line in (desk / "diary-web").read_text().splitlines()][:2] == ["start", "start"]
