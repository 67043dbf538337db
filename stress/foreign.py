"""What others take of the machine's cores while the mission measures: a fleet that gives way waits for them."""

import time
from collections.abc import Iterable

import psutil

_IDLE = ("idle", "iowait", "guest", "guest_nice")  # a guest's time is in its host's user time already


class Share:
    """Counts from its making.  Of the mission: these processes, this one, and the children that it has reaped."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = tuple(pids)
        self._began = time.monotonic()
        self._before = _busy_s()
        self._own = self._mine()

    @property
    def seconds(self) -> float:
        """Since its making."""
        return time.monotonic() - self._began

    def cores(self) -> float:
        """Mean number of cores that other processes kept busy.  Processes of ours that ended count as others'."""
        others = (_busy_s() - self._before) - (self._mine() - self._own)
        return max(0.0, others / self.seconds)

    def _mine(self) -> float:
        own = psutil.Process().cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for pid in self._pids:
            try:
                spent = psutil.Process(pid).cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += spent.user + spent.system
        return float(total)


def _busy_s() -> float:
    """Seconds that all cores together were busy since the machine started."""
    times = psutil.cpu_times()._asdict()
    return float(sum(value for name, value in times.items() if name not in _IDLE))
