"""A foreign engine: any command that answers HTTP, supervised as ours are.

It knows nothing of control pipes and heartbeats.  It is ready when its health path says so, it is stalled when that has
failed so often in a row as its manifest allows, it is stopped by its own signal, and its process group is its own.
"""

import contextlib
import os
import signal
import time

from engines.fleet import child, foreign, process
from engines.fleet.asking import Answered, Asking
from engines.fleet.units import EngineUnit
from engines.wire.state import EngineState

_BOOT_EVERY_S = 0.05  # asked so often until it is ready for the first time


class ForeignUnit(EngineUnit):
    """One foreign engine: a process group, a port, a health path."""

    _asking: Asking | None = None
    _next_at = 0.0
    _failures = 0
    _well_at = 0.0
    _state: EngineState | None = None

    def launch(self) -> int:
        """Fork and exec.

        Raises:
            ManifestErrors: the command is not there.
        """
        self.ended()
        settings = self._plan.settings
        argv = foreign.command(self.manifest, settings, self.port)
        env = foreign.environment(self.manifest, settings, self.port, os.environ)
        self.started_at = self._well_at = time.monotonic()
        with contextlib.chdir(self.manifest.cwd):  # which a child inherits; the supervisor has one thread
            argv[0] = foreign.found(self.manifest, env)
            log, limits = self._plan.folders.log(self.manifest.name), self.manifest.limits
            return child.spawn(argv, env, log, files=limits.files, nice=limits.nice)

    def release(self) -> None:
        """It has no gate."""

    def observe(self, now: float, since: float) -> tuple[EngineState | None, float]:
        """What its health path said, and for how long that has been a failure once there were too many in a row."""
        self._ask(now)
        if self._failures < self.manifest.health.failures or self.record.state is EngineState.STARTING:
            return self._state, 0.0
        return self._state, max(0.0, now - max(self._well_at, since))

    def signal(self, number: int) -> None:
        """Its own stop signal for SIGTERM, to the whole group; it has no stack to dump."""
        if self.identity is None or number == signal.SIGUSR1:
            return
        own = signal.Signals[f"SIG{self.manifest.stop.signal}"]
        process.send_group(self.identity, own if number == signal.SIGTERM else number)

    def ended(self) -> None:
        """Hang up, and forget what it said."""
        if self._asking is not None:
            self._asking.close()
        self._asking, self._state = None, None
        self._failures, self._next_at = 0, 0.0
        self.identity = None

    def _ask(self, now: float) -> None:
        rule = self.manifest.health
        if self._asking is None:
            if now < self._next_at:
                return
            every = rule.every_s if self._state is not None else min(_BOOT_EVERY_S, rule.every_s)
            self._next_at = now + every
            self._asking = Asking(self._plan.settings.host, self.port, rule, now)
        answer = self._asking.go_on(now)
        if answer is None:
            return
        self._asking = None
        if answer is Answered.WELL:
            self._failures, self._well_at, self._state = 0, now, EngineState.READY
        elif self._state is not None:
            self._failures += 1
            self._state = EngineState.DEGRADED
