"""The websocket engine's wiring: the hub beside the pure step, and its HTTP and WebSocket face."""

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import WebSocket, get, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from litestar.params import FromQuery, QueryParameter

from engines.kit.engine import Engine
from engines.kit.runtime import Runtime
from engines.websocket.config import CONFIG
from engines.websocket.frames import Error, Ping, Pong, Subscribe, Subscribed, command, known, notice
from engines.websocket.hub import Client, ClientInfo, Hub
from engines.websocket.model import Quote, Streamed, TopicCount, quote, step
from engines.wire.bundle import bars
from engines.wire.errors import UsageError
from engines.wire.health import Check
from engines.wire.messages import TOPICS, Body, Envelope
from engines.wire.settings import Settings

POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013  # RFC 6455, section 7.4.1, and its IANA registry
Socket = WebSocket[Any, Any, Any]
HUB = Hub(CONFIG, time.monotonic_ns)


class Rate(msgspec.Struct, frozen=True):
    """Messages per second over the last `window` whole seconds: in all, and per topic."""

    window: int
    total: float
    topics: dict[str, float]


def count_and_fan_out(state: Streamed, envelope: Envelope) -> tuple[Streamed, Sequence[Body]]:
    """The pure step, and the message to the hub, which never waits and leaves the state alone."""
    HUB.offer(envelope)
    return step(state, envelope)


def routes(runtime: Runtime[Streamed]) -> Sequence[HTTPRouteHandler | WebsocketRouteHandler]:
    """The engine's face."""

    @websocket("/stream")
    async def stream(socket: Socket) -> None:
        await serve_client(HUB, socket, runtime.settings, runtime.manifest.port + runtime.settings.port_offset)

    @get("/clients", sync_to_thread=False, summary="Who listens, and how much each was sent and missed")
    def clients() -> list[ClientInfo]:
        return HUB.infos()

    @get("/topics", sync_to_thread=False, summary="What streamed by, per topic")
    def topics() -> dict[str, TopicCount]:
        return {topic: runtime.state.topics.get(topic, TopicCount()) for topic in TOPICS}

    @get("/rate", sync_to_thread=False, summary="Messages per second, per topic")
    def rate(window: Annotated[int, QueryParameter(ge=1, le=CONFIG.rate_s)] = 10) -> Rate:
        found = HUB.rate(window)
        return Rate(window, sum(found.values()), found)

    @get("/quote", sync_to_thread=False, summary="A symbol at the close of a stored day: where a stream starts from")
    def last_quote(symbol: FromQuery[str], date: FromQuery[dt.date | None] = None) -> Quote:
        return quote(bars(symbol), date)

    return [stream, clients, topics, rate, last_quote]


async def serve_client(hub: Hub, socket: Socket, settings: Settings, port: int) -> None:
    """One client from its handshake to its end: `/stream?topics=trades,fills`.

    A browser's page of another origin is refused before the handshake: loopback is no authentication.
    """
    if not _same_origin(socket, settings, port):
        await socket.close(POLICY_VIOLATION, "another origin")
        return
    await socket.accept()
    asked = socket.query_params.get("topics", "")
    try:
        topics = known([topic for topic in asked.split(",") if topic])
    except UsageError as error:
        await socket.close(POLICY_VIOLATION, str(error)[:120])
        return
    client = hub.join(topics)
    if client is None:
        await socket.close(TRY_AGAIN_LATER, f"{hub.config.clients} clients listen already")
        return
    await socket.send_data(notice(Subscribed(tuple(sorted(topics)))), mode="text")
    sender = asyncio.create_task(_send(client, socket))
    try:
        await _obey(hub, client, socket)
    except WebSocketDisconnect:
        return
    finally:
        hub.leave(client)
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sender


async def _send(client: Client, socket: Socket) -> None:
    """Send what is queued until the client is gone; its going is the receiver's to notice."""
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.send_data(await client.next(), mode="text")


async def _obey(hub: Hub, client: Client, socket: Socket) -> None:
    """Commands, until the client leaves (WebSocketDisconnect) or sends one that is too long."""
    while True:
        text = await socket.receive_data(mode="text")
        if len(text) > hub.config.command_bytes:
            await socket.close(POLICY_VIOLATION, f"a command has at most {hub.config.command_bytes} bytes")
            return
        client.offer(_answer(client, text))


def _answer(client: Client, text: str) -> bytes:
    """Obey one command; the reply takes its turn in the client's queue."""
    try:
        asked = command(text)
    except UsageError as error:
        return notice(Error(str(error)))
    if isinstance(asked, Ping):
        return notice(Pong())
    topics = frozenset(asked.topics)
    client.topics = client.topics | topics if isinstance(asked, Subscribe) else client.topics - topics
    return notice(Subscribed(tuple(sorted(client.topics))))


def _same_origin(socket: Socket, settings: Settings, port: int) -> bool:
    """No Origin (no browser), or this server's own; and a Host that is this server's."""
    hosts = {f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]", settings.host)}
    origin = socket.headers.get("origin")
    return socket.headers.get("host") in hosts and (origin is None or origin.partition("://")[2] in hosts)


def _checks(_: Runtime[Streamed]) -> Sequence[Check]:
    """How the fan-out fares."""
    dropped = sum(client.dropped for client in HUB.clients.values())
    detail = f"{len(HUB.clients)} of {CONFIG.clients} clients, {HUB.fanned_out} frames, {dropped} dropped"
    return [Check("fan-out", "warn" if len(HUB.clients) >= CONFIG.clients else "ok", detail)]


def _features(state: Streamed) -> list[str]:
    return [
        f"{len(TOPICS)} topics to subscribe to, {len(state.topics)} of them seen",
        f"{len(HUB.clients)} clients of at most {CONFIG.clients}",
        f"{sum(count.ticks for count in state.topics.values())} ticks streamed by",
    ]


def _counters(state: Streamed) -> dict[str, int]:
    return {
        "streamed": sum(count.messages for count in state.topics.values()),
        "clients": len(HUB.clients),
        "frames": HUB.fanned_out,
        "refused": HUB.refused,
    }


engine = Engine(
    name="websocket",
    initial=Streamed,
    step=count_and_fan_out,
    state_type=Streamed,
    snapshot_s=2.0,
    routes=routes,
    checks=_checks,
    features=_features,
    counters=_counters,
    data_sources=("both buses", "bundled daily bars"),
)
