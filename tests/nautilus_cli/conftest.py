"""The command line in this process, with its own state folder."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nautilus_cli.app import app

Type = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of this test; nothing of the user's environment."""
    monkeypatch.setenv("NAUTILUS_HOME", str(tmp_path / "home"))
    for name in ("NAUTILUS_FLEET", "NAUTILUS_RUNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def nautilus(home: Path) -> Type:
    """Type a command line; errors that no code is meant for are raised."""
    return lambda *words: CliRunner().invoke(app, list(words), prog_name="nautilus", catch_exceptions=False)
