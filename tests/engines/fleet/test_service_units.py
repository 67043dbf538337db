"""Units for service managers: systemd's own verifier and plistlib read them."""

import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from engines.fleet import service_units
from engines.fleet.service_units import Service
from engines.wire.errors import UsageError

SERVICE = Service(
    fleet="desk", program=Path(sys.executable), home=Path("/var/lib/nautilus"), project=Path("/srv/100% desk"),
    user="root",
)  # fmt: skip


def fields(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("service", [SERVICE, replace(SERVICE, user=None, project=None)])
def test_systemd(service: Service) -> None:
    said = fields(service_units.systemd(service))
    assert said["Type"] == ["notify"] and said["KillMode"] == ["mixed"] and said["SuccessExitStatus"] == ["130 143"]
    assert said["ExecStart"][0].endswith("up --foreground --fleet desk --quiet")
    assert ('"NAUTILUS_HOME=/var/lib/nautilus"' in said["Environment"]) and "token" not in str(said).lower()
    assert ("User" in said) == (service.user is not None)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_it(tmp_path: Path) -> None:
    path = tmp_path / f"{SERVICE.name}.service"
    path.write_text(service_units.systemd(SERVICE))
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, timeout=30)
    if "Failed to initialize manager" in done.stderr:
        pytest.skip(f"systemd-analyze cannot work here: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")
    path.write_text(service_units.systemd(SERVICE).replace("KillMode=mixed", "KillMode=gentle"))
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, timeout=30)
    assert "kill mode" in done.stderr, "it does look"


def test_a_path_that_cannot_stand_in_a_unit() -> None:
    with pytest.raises(UsageError, match="cannot stand in a unit file"):
        service_units.systemd(replace(SERVICE, home=Path('/x"y')))


def test_launchd() -> None:
    facts = plistlib.loads(service_units.launchd(SERVICE))
    assert facts["Label"] == "org.nautilus.desk" and facts["UserName"] == "root" and facts["RunAtLoad"] is True
    assert facts["ProgramArguments"] == list(SERVICE.argv)
    assert facts["EnvironmentVariables"]["NAUTILUS_PROJECT"] == "/srv/100% desk"
    assert facts["KeepAlive"] == {"SuccessfulExit": False}
    assert "UserName" not in plistlib.loads(service_units.launchd(replace(SERVICE, user=None)))
