import signal

import pytest

from nautilus_cli.interrupts import speaking


def test_it_speaks_then_interrupts() -> None:
    said: list[str] = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), speaking(lambda: said.append("stopping")):
        signal.raise_signal(signal.SIGINT)
    assert said == ["stopping"] and signal.getsignal(signal.SIGINT) is before
