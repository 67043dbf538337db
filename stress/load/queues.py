"""The two queues of a target, compiled: arrivals that wait for a connection, and connections that wait for an arrival.

Both are linked through the records themselves, so that nothing is allocated and a broken connection leaves at once.
"""

from stress.load.layout import FREE, Tables, kernel


@kernel
def put_waiting(t: Tables, k: int, i: int) -> None:
    target = t.targets[k]
    if target.waiting >= 0:
        t.arrivals[target.waiting_last].after = i
    else:
        target.waiting = i
    target.waiting_last = i


@kernel
def pop_waiting(t: Tables, k: int) -> int:
    target = t.targets[k]
    i: int = target.waiting
    target.waiting = t.arrivals[i].after
    return i


@kernel
def put_free(t: Tables, c: int) -> None:
    conn = t.conns[c]
    target = t.targets[conn.target]
    conn.state, conn.next, conn.prev, conn.got = FREE, -1, target.last, 0
    if target.last >= 0:
        t.conns[target.last].next = c
    else:
        target.first = c
    target.last = c


@kernel
def take_free(t: Tables, c: int) -> None:
    conn = t.conns[c]
    target = t.targets[conn.target]
    if conn.prev >= 0:
        t.conns[conn.prev].next = conn.next
    else:
        target.first = conn.next
    if conn.next >= 0:
        t.conns[conn.next].prev = conn.prev
    else:
        target.last = conn.prev
