"""A fleet's secrets reach no argument, log, journal or document."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from engines.fleet import api, folders
from engines.fleet.buses import load_secrets


def found(secrets: tuple[str, ...], texts: dict[str, str]) -> list[str]:
    """Where a secret stands."""
    return [name for name, text in texts.items() if any(secret in text for secret in secrets)]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    api.up(api.FleetSpec(name="secret", home=tmp_path, port_offset=None))
    yield tmp_path
    api.down("secret", now=True, home=tmp_path)


def test_a_missions_logs_and_reports_hold_no_key_of_the_environment(tmp_path: Path) -> None:
    planted = "planted-0123456789abcdef"
    names = ("ALPHAVANTAGE_API_KEY", "FRED_API_KEY", "DATA_GOV_API_KEY", "TRADING_ECONOMICS_API_KEY")
    env = os.environ | dict.fromkeys((*names, "NAUTILUS_SIGNING_KEY"), planted) | {"NAUTILUS_HOME": str(tmp_path / "h")}
    command = [
        Path(sys.executable).with_name("nautilus"),
        "stress",
        "data",
        "--quick",
        "--runs",
        str(tmp_path / "runs"),
    ]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=110)
    assert done.returncode in (0, 5, 6), done.stderr
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    texts = {str(path): path.read_bytes().decode(errors="replace") for path in files}
    assert {"history.jsonl", "REPORT.md", "report.html", "supervisor.log", "MANIFEST.sig"} <= {p.name for p in files}
    assert found((planted,), texts | {"out": done.stdout, "err": done.stderr}) == []


def test_secrets_stay_in_the_environment_and_their_file(home: Path) -> None:
    where = folders.of("secret", home)
    secrets = msgspec.structs.astuple(load_secrets(where.secrets))
    assert all(len(secret) >= 32 for secret in secrets)
    assert where.secrets.stat().st_mode & 0o077 == 0 and where.state.stat().st_mode & 0o077 == 0
    status = api.status("secret", home=home)
    assert status.healthy and len(status.wanted) == 13
    pids = [status.supervisor.pid, *(e.pid for e in status.wanted), *(b.pid for b in status.buses)]
    texts = {f"arguments of {pid}": " ".join(psutil.Process(pid).cmdline()) for pid in pids if pid is not None}
    texts |= {path.name: path.read_text(errors="replace") for path in where.logs.iterdir()}
    texts |= {
        "journal": where.journal.read_text(),
        "status": msgspec.json.encode(status).decode(),
        "health": msgspec.json.encode(api.health("secret", home=home)).decode(),
    }
    assert len(texts) > 30
    assert found(secrets, texts) == []
    assert found(secrets, texts | {"planted": f"url unix://:{secrets[0]}@/s"}) == ["planted"]
