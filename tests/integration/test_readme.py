"""The README is true: it names every command, and each of its commands runs as it stands."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from engines.wire.manifest import discover
from nautilus_cli.app import Root, app
from tests.reports import conftest as small

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = [
    line.removeprefix("$ ").strip()
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ nautilus")
]
LIGHT = ("stress list",)  # every other mission takes minutes: the dry run checks its arguments


def every_command() -> Iterator[str]:
    """The words of every command that is not a group."""
    root = typer.main.get_command(app)
    context = root.make_context("nautilus", [])
    for section in Root.entries.values():
        for name in section:
            _, command, _ = root.resolve_command(context, [name])  # type: ignore[attr-defined]
            inner = getattr(command, "commands", {})
            yield from (f"{name} {word}" for word in inner) if inner else (name,)


def test_every_command_is_in_the_readme() -> None:
    found = list(every_command())
    assert len(found) > 10
    assert [name for name in found if f"nautilus {name}" not in README] == []


def test_the_two_commands_stand_at_the_top() -> None:
    top = "\n".join(README.splitlines()[:60])
    assert "$ make mission" in top and "$ make test" in top


def free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_each_command_of_the_readme_runs(tmp_path: Path) -> None:
    taken = [m.port for m in discover() if not free(m.port)]
    if taken:
        pytest.skip(f"another program holds port {taken[0]}, which the README's `nautilus up` needs")
    env = os.environ | {"NAUTILUS_HOME": str(tmp_path / "home"), "NO_COLOR": "1"}
    small.finish(small.build(tmp_path / "runs" / "20260101_000000_flash-crash"))
    nautilus = Path(sys.executable).with_name("nautilus")
    assert len(COMMANDS) > 10
    try:
        for command in COMMANDS:
            words = shlex.split(command, comments=True)[1:]
            if words[0] == "stress" and " ".join(words[:2]) not in LIGHT and "--dry-run" not in words:
                words.append("--dry-run")
            done = subprocess.run([nautilus, *words], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    finally:
        subprocess.run([nautilus, "down", "--now"], env=env, capture_output=True, timeout=60)
        shutil.rmtree(tmp_path / "home", ignore_errors=True)
