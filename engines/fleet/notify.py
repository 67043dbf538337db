"""The operator's own command at events of note: a bell, a pager, a line in a chat.

It runs beside the supervisor, which waits for it never and for nothing; it ends with the supervisor.
"""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from engines.fleet import child, process
from engines.fleet.foreign import USUAL
from engines.fleet.process import Identity
from engines.fleet.spec import Notify
from engines.fleet.status import Event

MOST = 4  # at once; what comes while so many run is left out, and said so
LONGEST_S = 60.0


class Notifier:
    """Starts the command; `env` is what its environment is taken from."""

    def __init__(self, rule: Notify, fleet: str, log: Path, env: Mapping[str, str]) -> None:
        self._rule = rule
        self._log = log
        self._env = {name: env[name] for name in USUAL if name in env} | {"NAUTILUS_FLEET": fleet}
        self._running: list[tuple[Identity, float]] = []
        self.left_out = 0

    def hear(self, event: Event) -> bool:
        """Run the command for an event that it is meant for; whether it was started."""
        if not self._rule.command or event.kind != "unit" or event.state not in self._rule.on:
            return False
        now = time.monotonic()
        self._running = [(who, since) for who, since in self._running if process.alive(who)]
        for who, since in self._running:
            if now - since > LONGEST_S:
                process.send_group(who, 9)
        program = shutil.which(self._rule.command[0], path=self._env.get("PATH"))
        if len(self._running) >= MOST or program is None:
            self.left_out += 1
            self._note(event, "too many run" if program else f"{self._rule.command[0]} is no program that can be run")
            return False
        env = {**self._env, "NAUTILUS_EVENT": msgspec.json.encode(event).decode()}
        started = process.identify(child.spawn((program, *self._rule.command[1:]), env, self._log))
        if started is not None:
            self._running.append((started, now))
        return True

    def _note(self, event: Event, why: str) -> None:
        line = f"not told of {event.name} {event.state}: {why}\n".encode()
        file = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, line)
        os.close(file)
