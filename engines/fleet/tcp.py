"""The control protocol over TCP, when it is asked for: every request carries a token, compared in constant time.

The connection is not encrypted: beyond loopback the token must be one that the operator chose for it, and it travels
in the open, so such an address belongs on a private network or behind a tunnel.
"""

import hmac
import ipaddress
import socket
from collections.abc import Mapping

from engines.wire.errors import PortInUse, SettingsError

VARIABLE = "NAUTILUS_CONTROL_TOKEN"
SHORTEST = 16  # characters of a token that guards more than loopback
_BACKLOG = 64


class Door:
    """A listening socket and the token that opens it."""

    def __init__(self, listener: socket.socket, token: str) -> None:
        self.listener = listener
        self._token = token.encode()

    def admits(self, token: str) -> bool:
        """Whether it is the token; an empty one never is."""
        return bool(self._token) and hmac.compare_digest(token.encode(), self._token)


def door(listen: str, fleet_token: str, env: Mapping[str, str]) -> Door | None:
    """Listen at `HOST:PORT`; None for an empty one.  The token is `$NAUTILUS_CONTROL_TOKEN`, else the fleet's.

    Raises:
        SettingsError: it is no address, or it is open to others without a token of its own.
        PortInUse: nothing can listen there.
    """
    if not listen:
        return None
    host, port = address(listen)
    own = env.get(VARIABLE, "")
    if not is_loopback(host) and len(own) < SHORTEST:
        raise SettingsError(
            f"The control socket may not listen on {listen}: others can reach it.",
            f"Beyond loopback it needs a token of its own, {SHORTEST} characters or more; it travels unencrypted.",
            f'export {VARIABLE}="$(openssl rand -hex 24)", or listen on 127.0.0.1:{port}',
        )
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        why = error.strerror or str(error)
        raise PortInUse(
            f"The control socket cannot listen on {listen}.", why, "Choose another [control] listen."
        ) from error
    listener.setblocking(False)
    return Door(listener, own or fleet_token)


def address(listen: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[HOST]:PORT`.

    Raises:
        SettingsError: it is neither.
    """
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or not 0 <= int(port) <= 65_535:
        raise SettingsError(f"control.listen: {listen!r} is not HOST:PORT.", "", "For example 127.0.0.1:7700.")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it.  A name is taken at its word only when it is `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
