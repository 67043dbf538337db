"""The compiled heart of the epoll generator: one thread, no Python objects, no lock of the interpreter.

Connections are edge-triggered; a free connection waits in its target's ring and the one that has been free longest is
used next, so that every connection held open also carries requests.
"""

from stress.load import libc
from stress.load.bodies import look_at, sampled
from stress.load.calls import clock, errno
from stress.load.digits import write_number
from stress.load.layout import (
    ADMIT_MAX,
    BUSY,
    CHUNKED,
    CLOSED,
    CONNECT,
    CONNECTING,
    CONNECTING_MAX,
    DONE,
    EVENTS,
    FREE,
    HEAD,
    HTTP_4XX,
    HTTP_5XX,
    HTTP_OTHER,
    INCOMPLETE,
    LENGTH,
    MALFORMED,
    RESET,
    RETRY_NS,
    ROW,
    SWEEP_NS,
    TIMEOUT,
    UNSENT,
    UNTIL_CLOSE,
    Tables,
    kernel,
)
from stress.load.queues import pop_waiting, put_free, put_waiting, take_free
from stress.load.replies import read_chunks, read_head
from stress.load.tables import BROKEN, OPEN, SCHEDULED, SENT

# Settling: every arrival ends here exactly once.


@kernel
def warming(t: Tables, i: int) -> int:
    return int(t.arrivals[i].intended < t.loop[0].measured)


@kernel
def settle(t: Tables, i: int, outcome: int, now: int) -> None:
    loop, arrival = t.loop[0], t.arrivals[i]
    arrival.settled, arrival.outcome = now, outcome
    t.counts[warming(t, i), t.requests[arrival.choice].target, outcome] += 1
    loop.unsettled -= 1
    if loop.think >= 0 and now + loop.think < loop.end and loop.total < len(t.arrivals):
        t.arrivals[loop.total].intended = now + loop.think
        t.arrivals[loop.total].choice = arrival.choice if loop.per_target else t.arrivals[loop.total].choice
        loop.total += 1


@kernel
def fail_waiting(t: Tables, k: int, outcome: int, now: int) -> None:
    while t.targets[k].waiting >= 0:
        settle(t, pop_waiting(t, k), outcome, now)


# Connections.


@kernel
def not_connected(t: Tables, c: int, now: int) -> None:
    """An attempt failed: try again later; what waits for this target fails if no other connection lives."""
    conn = t.conns[c]
    if conn.fd >= 0:
        libc.close(conn.fd)
    conn.fd, conn.state, conn.retry = -1, CLOSED, now + RETRY_NS
    t.loop[0].connecting -= 1
    t.targets[conn.target].alive -= 1
    if t.targets[conn.target].alive == 0:
        fail_waiting(t, conn.target, CONNECT, now)


@kernel
def connect(t: Tables, c: int, now: int) -> None:
    loop, conn = t.loop[0], t.conns[c]
    target = t.targets[conn.target]
    conn.state, conn.since = CONNECTING, now
    loop.connecting += 1
    target.alive += 1
    conn.fd = libc.socket(target.family, libc.SOCK_STREAM_NONBLOCK_CLOEXEC, 0)
    if conn.fd < 0:
        not_connected(t, c, now)
        return
    t.words[2] = 1
    libc.setsockopt(conn.fd, libc.IPPROTO_TCP, libc.TCP_NODELAY, t.words.ctypes.data + 16, 4)
    if libc.connect(conn.fd, target.address, target.address_length) < 0 and errno() != libc.EINPROGRESS:
        not_connected(t, c, now)
        return
    t.events[0] = libc.EPOLLIN | libc.EPOLLOUT | libc.EPOLLRDHUP | libc.EPOLLET
    t.events[libc.EVENT_DATA] = c
    libc.epoll_ctl(loop.epoll, libc.EPOLL_CTL_ADD, conn.fd, t.events.ctypes.data)


@kernel
def drop(t: Tables, c: int, now: int) -> None:
    """Close an open connection, whose request if any has been settled, and open it again."""
    loop, conn = t.loop[0], t.conns[c]
    if conn.state == FREE:
        take_free(t, c)
    libc.close(conn.fd)
    conn.fd, conn.state, conn.retry = -1, CLOSED, now
    loop.sweep_at = now
    loop.open -= 1
    t.targets[conn.target].alive -= 1
    t.counts[0, conn.target, OPEN] -= 1
    t.counts[0, conn.target, BROKEN] += 1


@kernel
def fail(t: Tables, c: int, outcome: int, now: int) -> None:
    settle(t, t.conns[c].arrival, outcome, now)
    drop(t, c, now)


# Sending.


@kernel
def push(t: Tables, c: int) -> None:
    """Write what is left of the request, whose bytes are shared by all of its kind: its number is put in anew."""
    conn = t.conns[c]
    request = t.requests[t.arrivals[conn.arrival].choice]
    if request.id_at >= 0:
        write_number(t, request.id_at, conn.arrival * t.loop[0].processes + t.loop[0].part)
    sent: int = libc.send(conn.fd, request.address + conn.written, request.length - conn.written, libc.MSG_NOSIGNAL)
    if sent >= 0:
        conn.written += sent
    elif errno() != libc.EAGAIN:
        fail(t, c, RESET, clock(t))


@kernel
def issue(t: Tables, c: int, i: int, now: int) -> None:
    conn = t.conns[c]
    t.arrivals[i].sent = now
    conn.state, conn.body, conn.closing, conn.partial = BUSY, HEAD, 0, 0
    conn.arrival, conn.written, conn.got = i, 0, 0
    t.counts[warming(t, i), conn.target, SENT] += 1
    push(t, c)


@kernel
def offer(t: Tables, c: int, now: int) -> None:
    """A connection became free: the arrival that waits longest takes it."""
    k = t.conns[c].target
    if t.targets[k].waiting >= 0:
        issue(t, c, pop_waiting(t, k), now)
    else:
        put_free(t, c)


@kernel
def admit(t: Tables, now: int) -> None:
    """Take up the arrivals that are due, a bounded number at a time."""
    loop = t.loop[0]
    last = min(loop.total, loop.next + ADMIT_MAX)
    while loop.next < last and t.arrivals[loop.next].intended <= now:
        i = loop.next
        loop.next += 1
        loop.unsettled += 1
        arrival = t.arrivals[i]
        arrival.taken = clock(t)
        k = t.requests[arrival.choice].target
        t.counts[warming(t, i), k, SCHEDULED] += 1
        target = t.targets[k]
        if target.first >= 0:
            c = target.first
            take_free(t, c)
            issue(t, c, i, arrival.taken)
        else:
            put_waiting(t, k, i)


# Reading replies.


@kernel
def complete(t: Tables, c: int) -> None:
    """A whole reply is in: settle its arrival and offer the connection again."""
    conn = t.conns[c]
    now = clock(t)
    i = conn.arrival
    request = t.requests[t.arrivals[i].choice]
    status = conn.status
    if status == request.status:
        if sampled(t, i):
            look_at(t, c)
        settle(t, i, DONE, now)
    elif 400 <= status < 500:
        settle(t, i, HTTP_4XX, now)
    elif 500 <= status < 600:
        settle(t, i, HTTP_5XX, now)
    else:
        settle(t, i, HTTP_OTHER, now)
    if conn.closing:
        drop(t, c, now)
    else:
        offer(t, c, now)


@kernel
def digest(t: Tables, c: int, fresh: int) -> bool:
    """Use the `fresh` newest bytes of the row; whether the connection is still serving the same request."""
    conn, row = t.conns[c], t.row
    start = conn.got - fresh
    if conn.body == HEAD:
        start = read_head(row, conn.got, conn)
        if start == MALFORMED or (start == INCOMPLETE and conn.got == ROW):
            fail(t, c, HTTP_OTHER, clock(t))
            return False
        if start == INCOMPLETE:
            return True
        conn.body_at = start
    ended = False
    if conn.body == LENGTH:
        conn.left -= conn.got - start
        ended = conn.left <= 0
    elif conn.body == CHUNKED:
        ended = read_chunks(row, start, conn.got, conn)
    if ended:
        complete(t, c)
        return False
    if conn.got == ROW or not sampled(t, conn.arrival):
        conn.got, conn.partial = 0, 1
    return True


@kernel
def receive(t: Tables, c: int, room: int) -> int:
    """Read behind what is kept of a split reply.  Few replies are split, so the row stays in the cache."""
    conn, row = t.conns[c], t.row.ctypes.data
    if conn.got > 0:
        libc.memcpy(row, t.loop[0].parts + c * ROW, conn.got)
    return int(libc.recv(conn.fd, row + conn.got, room, 0))


@kernel
def peer_closed(t: Tables, c: int) -> None:
    conn = t.conns[c]
    if conn.state == BUSY and conn.body == UNTIL_CLOSE:
        conn.closing = 1
        complete(t, c)
    elif conn.state == BUSY:
        fail(t, c, RESET, clock(t))
    else:
        drop(t, c, clock(t))


@kernel
def pull(t: Tables, c: int, hung_up: bool) -> None:
    """Read what has arrived, to its end when the peer has hung up."""
    conn = t.conns[c]
    conn.closing = conn.closing or hung_up
    while conn.state in (BUSY, FREE):
        room = ROW - conn.got
        n = receive(t, c, room)
        if n < 0 and errno() in (libc.EAGAIN, libc.EINTR):
            return
        if n <= 0:
            peer_closed(t, c)
            return
        if conn.state == FREE:  # a reply that nobody asked for
            drop(t, c, clock(t))
            return
        conn.got += n
        same = digest(t, c, n)
        if same and conn.got > 0:
            libc.memcpy(t.loop[0].parts + c * ROW, t.row.ctypes.data, conn.got)
        if not hung_up and (n < room or not same):
            return


# The loop.


@kernel
def on_event(t: Tables, c: int, flags: int, now: int) -> None:
    loop, conn = t.loop[0], t.conns[c]
    if conn.state == CONNECTING:
        t.words[2], t.words[3] = 0, 4
        data = t.words.ctypes.data
        libc.getsockopt(conn.fd, libc.SOL_SOCKET, libc.SO_ERROR, data + 16, data + 24)
        if t.words[2] != 0:
            not_connected(t, c, now)
            return
        loop.connecting -= 1
        loop.open += 1
        t.counts[0, conn.target, OPEN] += 1
        offer(t, c, now)
        return
    if conn.state == BUSY and conn.written < t.requests[t.arrivals[conn.arrival].choice].length:
        push(t, c)
    if flags & (libc.EPOLLIN | libc.EPOLLRDHUP | libc.EPOLLHUP | libc.EPOLLERR):
        pull(t, c, flags & (libc.EPOLLRDHUP | libc.EPOLLHUP | libc.EPOLLERR) != 0)


@kernel
def sweep(t: Tables, now: int) -> None:
    """Give up what has run out of time, and connect again at a bounded pace."""
    loop = t.loop[0]
    budget = loop.pace
    for c in range(len(t.conns)):
        conn = t.conns[c]
        if conn.state == BUSY and now - t.arrivals[conn.arrival].intended >= loop.timeout:
            fail(t, c, TIMEOUT, now)
        elif conn.state == CONNECTING and now - conn.since >= loop.timeout:
            not_connected(t, c, now)
        elif conn.state == CLOSED and conn.retry <= now and budget > 0 and loop.connecting < CONNECTING_MAX:
            budget -= 1
            connect(t, c, now)
    for k in range(len(t.targets)):
        target = t.targets[k]
        while target.waiting >= 0 and now - t.arrivals[target.waiting].intended >= loop.timeout:
            settle(t, pop_waiting(t, k), UNSENT, now)
    loop.sweep_at = now + SWEEP_NS


@kernel
def halt(t: Tables, now: int) -> None:
    """Stop asked for: nothing more is scheduled, nothing that waits is sent, what is under way may end."""
    loop = t.loop[0]
    loop.stopped, loop.end, loop.total = 1, now, loop.next
    for k in range(len(t.targets)):
        fail_waiting(t, k, UNSENT, now)


@kernel
def finished(t: Tables, now: int) -> bool:
    loop = t.loop[0]
    if loop.opening:
        return bool(loop.open == len(t.conns) or now >= loop.end or loop.stop != 0)
    return bool(now >= loop.end and loop.next == loop.total and loop.unsettled == 0)


@kernel
def wait(t: Tables, now: int) -> int:
    """Sleep until the next arrival, sweep or event; how many events there are."""
    loop = t.loop[0]
    until = loop.sweep_at
    if loop.next < loop.total:
        until = min(until, t.arrivals[loop.next].intended)
    t.words[2], t.words[3] = 0, max(0, until - now)
    data = t.words.ctypes.data
    return int(libc.syscall(libc.SYS_EPOLL_PWAIT2, loop.epoll, t.events.ctypes.data, EVENTS, data + 16, 0, 0))


@kernel
def drive(t: Tables) -> None:
    """Run until the phase's end has passed and every arrival is settled, or all connections are open."""
    loop = t.loop[0]
    libc.prctl(libc.PR_SET_TIMERSLACK, 1, 0, 0, 0)
    now = clock(t)
    while not finished(t, now):
        began = now
        if loop.stop and not loop.stopped:
            halt(t, now)
        admit(t, now)
        if now >= loop.sweep_at:
            sweep(t, now)
        now = clock(t)
        busy = now - began
        ready = wait(t, now)
        woke = clock(t)
        overslept = woke - now - t.words[3] if ready == 0 else 0
        for k in range(ready):
            word = k * libc.EVENT_WORDS
            on_event(t, t.events[word + libc.EVENT_DATA], t.events[word], woke)
        now = clock(t)
        loop.stall = max(loop.stall, busy + overslept, now - woke)
