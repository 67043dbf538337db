"""The folders: state, with room in it, and runtime, private and short enough for sockets; and the environment."""

import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from engines.fleet import folders
from engines.fleet.folders import SOCKET_PATH_MAX
from engines.wire.settings import home
from nautilus_cli.diagnosis.finding import Finding

DISK_ENOUGH = 2e9  # bytes; a mission writes some tens of megabytes, the main bus keeps the session's streams


def state_folder(path: Path | None = None) -> Finding:
    """Whether the folder of all fleets, or the one that it will be made in, takes a file, and has room."""
    wanted = path if path is not None else home()
    there = next(folder for folder in (wanted, *wanted.parents) if folder.exists())
    fix = "export NAUTILUS_HOME=FOLDER, one that you may write"
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding("state folder", "fail", f"{there}: {error.strerror}", fix)
    free = shutil.disk_usage(there).free
    detail = f"{wanted}{'' if wanted == there else ' (will be made)'}, {free / 1e9:.1f} GB free"
    if free < DISK_ENOUGH:
        return Finding("state folder", "warn", f"{detail}; a session wants {DISK_ENOUGH / 1e9:.0f} GB", fix)
    return Finding("state folder", "ok", detail)


def runtime_folder(fleet: str, path: Path | None = None) -> Finding:
    """Whether the folder of the sockets is private to this user, and their paths short enough."""
    name = "runtime folder"
    wanted = path if path is not None else folders.runtime_base()
    longest = len(os.fsencode(wanted / folders.of(fleet).runtime.name / "control.sock"))
    detail = f"{wanted}, socket paths of {longest} bytes of at most {SOCKET_PATH_MAX}"
    if longest > SOCKET_PATH_MAX:
        return Finding(name, "fail", detail, "export XDG_RUNTIME_DIR=FOLDER, one with a shorter path")
    if not wanted.exists():
        return Finding(name, "ok", f"{detail} (will be made)")
    facts = wanted.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        why = f"{wanted}: owner {facts.st_uid}, mode {stat.S_IMODE(facts.st_mode):o}, not private to you"
        return Finding(name, "fail", why, f"rm -r {wanted}, or set XDG_RUNTIME_DIR")
    return Finding(name, "ok", detail)


def environment(env: Mapping[str, str] = os.environ) -> Finding:
    """Which variables of ours are set: their names only, for some hold secrets."""
    ours = sorted(name for name in env if name.startswith("NAUTILUS_"))
    plain = [name for name in ("NO_COLOR", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "PYTHONPATH") if env.get(name)]
    return Finding("environment", "ok", f"set: {', '.join((*ours, *plain)) or 'none of ours'} (names only)")
