"""The packages: all that is required is there, and the versions are those that were tested."""

import re
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path

from nautilus_cli.diagnosis.finding import Finding

DISTRIBUTION = "nautilus-ops"
CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"
INSTALL = "python -m pip install -c constraints.txt -e ."
_KEY = ("msgspec", "numpy", "duckdb", "redis", "litestar", "uvicorn", "typer")  # shown though nothing is wrong


def packages() -> Finding:
    """What the distribution asks for, what is installed, and what the constraints say."""
    try:
        wanted = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return Finding("packages", "fail", f"{DISTRIBUTION} is not installed", "make mission")
    pins = pinned(CONSTRAINTS.read_text("utf-8")) if CONSTRAINTS.is_file() else {}
    return judge_packages(wanted, _installed, pins)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def pinned(constraints: str) -> dict[str, str]:
    """Versions by normalised name, of lines `name==version`."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;#]+)", constraints, re.MULTILINE)
    return {_normal(name): version for name, version in found}


def judge_packages(wanted: Iterable[str], installed: Callable[[str], str | None], pins: Mapping[str, str]) -> Finding:
    """Requirements of the form `name>=floor`, those of extras left out, against the version installed by that name."""
    found, wrong, other = {}, [], []
    for requirement in wanted:
        parts = re.match(r"([A-Za-z0-9._-]+)\s*(?:>=\s*([0-9.]+))?", requirement)
        if parts is None or "extra ==" in requirement:
            continue
        version, pin = installed(parts[1]), pins.get(_normal(parts[1]))
        if version is None:
            wrong.append(f"{parts[1]} is missing")
        elif parts[2] and _numbers(version) < _numbers(parts[2]):
            wrong.append(f"{parts[1]} {version} is older than {parts[2]}")
        else:
            found[parts[1]] = version
            other += [f"{parts[1]} {version} (tested with {pin})"] if pin not in (None, version) else []
    if wrong:
        return Finding("packages", "fail", "; ".join(wrong), INSTALL)
    if other:
        return Finding("packages", "warn", f"{len(found)} there, but {', '.join(other)}", INSTALL)
    key = ", ".join(f"{name} {found[name]}" for name in _KEY if name in found)
    as_tested = " as tested" if pins else ""
    return Finding("packages", "ok", f"{len(found)} there{as_tested}" + (f": {key}" if key else ""))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
