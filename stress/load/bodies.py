"""Which replies' bodies have passed, compiled: compared with the last one that did, or set aside for the full check."""

from stress.load import libc
from stress.load.layout import ROW, Tables, kernel


@kernel
def sampled(t: Tables, i: int) -> bool:
    return bool(t.requests[t.arrivals[i].choice].check != 0 and i % t.loop[0].sample_every == 0)


@kernel
def set_aside(t: Tables, c: int) -> None:
    """Copy a sampled reply to a slot for its body check, if it is whole and a slot is empty."""
    loop, conn = t.loop[0], t.conns[c]
    if conn.partial or loop.put - loop.taken >= len(t.slots):
        loop.unchecked += 1
        return
    s = loop.put % len(t.slots)
    libc.memcpy(loop.slots + s * ROW, t.row.ctypes.data, conn.got)
    t.slots[s].arrival, t.slots[s].length = conn.arrival, conn.got
    loop.put += 1


@kernel
def passed_before(t: Tables, c: int) -> bool:
    """Whether the body in the row is byte for byte the one that passed its check last."""
    conn = t.conns[c]
    row = t.requests[t.arrivals[conn.arrival].choice].passed
    length = conn.got - conn.body_at
    if row < 0 or conn.partial or t.lengths[row] != length:
        return False
    return bool(libc.memcmp(t.row.ctypes.data + conn.body_at, t.loop[0].passed + row * ROW, length) == 0)


@kernel
def look_at(t: Tables, c: int) -> None:
    """Pass a body that has passed before, and set any other aside."""
    if passed_before(t, c):
        t.loop[0].same += 1
    else:
        set_aside(t, c)
