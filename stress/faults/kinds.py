"""Every kind of fault that a mission can inject, by name."""

from stress.faults import bus_clients, bus_file, bus_memory, connections, model_file, poison, proxy_kinds, slow_consumer
from stress.faults.drill import BUSY, CLOCK, DISK, MEMORY
from stress.faults.fault import Kind
from stress.faults.pressure import CPU_PRESSURE, MEMORY_PRESSURE
from stress.faults.processes import KILL, PAUSE, TERM
from stress.faults.store import CORRUPT_STORE

_ALL: tuple[Kind, ...] = (
    KILL,
    TERM,
    PAUSE,
    CLOCK,
    DISK,
    MEMORY,
    BUSY,
    CPU_PRESSURE,
    MEMORY_PRESSURE,
    CORRUPT_STORE,
    model_file.KIND,
    *proxy_kinds.KINDS,
    bus_memory.KIND,
    bus_clients.KIND,
    bus_file.KIND,
    slow_consumer.KIND,
    poison.KIND,
    connections.KIND,
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
