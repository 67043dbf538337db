"""The control pipe's thread: words at once, then the end, by force if need be."""

import os
import time

import pytest

from engines.kit import leash
from engines.kit.leash import LOST, Leash
from engines.wire.leash import HALT, ORPHANED, RESUME


def test_words_are_heard_in_order_and_the_end_is_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leash, "END_S", 0.01)
    heard: list[bytes] = []
    codes: list[int] = []
    read, write = os.pipe()
    thread = Leash(read, heard.append, codes.append)
    thread.start()
    os.write(write, HALT + RESUME)
    until = time.monotonic() + 5.0
    while len(heard) < 2 and time.monotonic() < until:
        time.sleep(0.001)
    assert heard == [HALT, RESUME] and codes == [] and thread.is_alive()
    os.close(write)
    thread.join(5.0)
    assert heard == [HALT, RESUME, LOST] and codes == [ORPHANED]
    os.close(read)
