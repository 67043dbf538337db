"""A proxy's place: taken and given back by renaming, and never given to a dead server or taken from a new one."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.wire.errors import NautilusError, UsageError
from stress.faults.proxy_swap import Place, insert, listener, restore, survey


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for a socket's path."""
    with tempfile.TemporaryDirectory(prefix="nb") as name:
        yield Path(name)


def listen(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server


def reached(path: Path, server: socket.socket) -> bool:
    """Whether a connection to a path arrives at this server."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        server.settimeout(0.1)
        try:
            server.accept()[0].close()
        except TimeoutError:
            return False
    return True


def test_in_front_and_back(folder: Path) -> None:
    public = folder / "main.sock"
    with listen(public) as server:
        place = survey(str(public))
        with listen(place.via) as proxy:
            insert(place)
            assert reached(public, proxy) and reached(place.real, server)
            assert restore(place) == "the server's socket has its name again"
            assert reached(public, server) and not reached(public, proxy)
            assert restore(place) == "the server's own socket had its name"
            assert reached(public, server)
    assert [path.name for path in folder.iterdir()] == ["main.sock"]


def test_a_bus_that_was_replaced_keeps_its_name(folder: Path) -> None:
    public = folder / "main.sock"
    server = listen(public)
    place = survey(str(public))
    with listen(place.via):
        insert(place)
        server.close()
        public.unlink()
        with listen(public) as successor:
            assert restore(place) == "the server had ended"
            assert reached(public, successor)
            assert not place.real.exists()


def test_a_second_name_that_was_never_used_is_removed(folder: Path) -> None:
    public = folder / "main.sock"
    with listen(public) as server:
        place = survey(str(public))
        os.link(public, place.real)  # it died between the two steps
        restore(place)
        assert reached(public, server) and not place.real.exists()


def test_nothing_is_left_of_a_fleet_that_has_gone(folder: Path) -> None:
    assert restore(Place(str(folder / "main.sock"), 1, 2)) == "the server had gone"


def test_only_one_proxy_stands_at_a_place(folder: Path) -> None:
    public = folder / "main.sock"
    with pytest.raises(UsageError, match="Nobody listens"):
        survey(str(public))
    with listen(public):
        place = survey(str(public))
        with listen(place.via):
            insert(place)
            with pytest.raises(UsageError, match=r"stands at .* already"):
                survey(str(public))


def test_a_place_that_has_gone_is_told(folder: Path) -> None:
    public = folder / "main.sock"
    with listen(public):
        place = survey(str(public))
    public.unlink()
    with pytest.raises(NautilusError, match="No proxy can be put"):
        insert(place)


def test_who_listens_is_the_kernels_word(folder: Path) -> None:
    with listen(folder / "s"):
        assert listener(folder / "s") == os.getpid()
    assert listener(folder / "s") is None
