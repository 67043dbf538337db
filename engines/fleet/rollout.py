"""Restarts as the command line asks for them: of one engine, of many in turn, and of what a changed manifest needs."""

from collections.abc import Callable, Sequence
from pathlib import Path

from engines.fleet import control, folders
from engines.fleet.changes import Diff
from engines.fleet.control import Request
from engines.fleet.errors import TimedOut
from engines.fleet.folders import Folders
from engines.fleet.rolling import Rolled, plan, roll
from engines.fleet.status import Event, FleetStatus
from engines.wire.errors import NautilusError, NotRunning

TIMEOUT_S = 90.0
_SETTLED = ("ready", "degraded", "halted", "failed")
_ON_THE_WAY = ("stopping", "stopped", "crashed", "backoff", "declared", "starting")
Listener = Callable[[Event], None]


def restart(name: str, engine: str, *, home: Path | None = None, on_event: Listener | None = None,
            timeout: float = TIMEOUT_S, now: bool = False) -> FleetStatus:  # fmt: skip
    """Stop one engine and start it again, with a clean slate; waits until it is ready or given up.

    One with open orders withdraws them first, and stays as it is when they do not end; with `now` it is not asked.

    Raises:
        NotRunning, UnknownName, TimedOut.
        NautilusError: it has open orders that do not end.
    """
    where = folders.of(name, home)
    seen = control.call(where.control, Request(op="restart", engines=(engine,), now=now), int)
    return _again(where, engine, seen, on_event, timeout)


def _again(where: Folders, engine: str, seen: int, on_event: Listener | None, timeout: float) -> FleetStatus:
    """Wait until a restarted engine is ready or given up; `seen` is the last event before."""
    name, begun = where.state.name, False
    try:
        for event in control.events(where.control, seen, timeout):
            if on_event is not None:
                on_event(event)
            if event.name != engine:
                continue
            if event.kind == "refused":
                raise NautilusError(
                    f"{engine} was not restarted.", f"{event.detail}.", f"All the same: nautilus restart {engine} --now"
                )
            if begun and event.state in _SETTLED:
                return _look(where)
            begun = begun or event.state in _ON_THE_WAY  # before, it may still halt and drain
    except TimeoutError:
        raise TimedOut(
            f"{engine} was not ready again within {timeout:g} s.", "", f"See why: nautilus why {engine}"
        ) from None
    raise NotRunning(f"Fleet {name!r} was stopped meanwhile.", "", "Start it: nautilus up")


def rolling(name: str, engines: Sequence[str] = (), *, home: Path | None = None, on_event: Listener | None = None,
            timeout: float = TIMEOUT_S, dry: bool = False) -> Rolled:  # fmt: skip
    """Restart these engines, or all, one after the other, each when its whole chain is up; stops where one fails.

    Raises:
        NotRunning, UnknownName.
    """
    where = folders.of(name, home)
    names = plan(_look(where).engines, engines)
    if dry:
        return Rolled(fleet=name, planned=names)
    return roll(
        names,
        lambda: _look(where),
        lambda engine: restart(name, engine, home=home, on_event=on_event, timeout=timeout),
        timeout,
    )


def reload(name: str, *, home: Path | None = None, on_event: Listener | None = None, timeout: float = TIMEOUT_S,
           dry: bool = False) -> tuple[Diff, Rolled | None]:  # fmt: skip
    """Have the supervisor read manifests and `nautilus.toml` again and take over what changed.

    Returns:
        what changed, and the rolling restart of the engines that need one (None with `dry`, or when none does).

    Raises:
        NotRunning: there is no fleet.
        ManifestErrors, SettingsError: every mistake; nothing is changed then.
    """
    where = folders.of(name, home)
    found = control.call(where.control, Request(op="reload", dry=dry), Diff)
    if dry or not found.restarts:
        return found, None

    def renew(engine: str) -> FleetStatus:
        now = control.call(where.control, Request(op="reload", engines=(engine,)), Diff)
        return _again(where, engine, now.seen, on_event, timeout)

    return found, roll(found.restarts, lambda: _look(where), renew, timeout)


def _look(where: Folders) -> FleetStatus:
    return control.call(where.control, Request(op="status"), FleetStatus)
