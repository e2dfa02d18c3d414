"""The application: puts the relay, the rooms, the socket endpoint and the pages together."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from relay import Relay
from server.accounts import sessions
from server.accounts.services import account_services
from server.addresses import media_announce
from server.admission import LinkTokens, ResumeTokens
from server.api.app import add_api
from server.api.every_route import ROUTES
from server.api.routes import Services
from server.api.routes_entry import ENTRY_TOKENS
from server.entrance import Entrance, EntryTokens
from server.errors import plain_errors
from server.group_sessions import GroupSessions
from server.health import add_health
from server.links import Links
from server.listener import listen
from server.metrics import HoldspaceCollector, add_metrics
from server.pages import add_pages
from server.proxy import client_address
from server.rooms import Rooms
from server.secret import server_secret
from server.security import secure_responses
from server.services import open_services
from server.settings import Settings, SettingsError
from signaling.namespace import Wire

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 4_096
"""No request has a body of any use."""

SHUTDOWN_TIMEOUT_S = 2.0

RELAY = web.AppKey("relay", Relay)
ROOMS = web.AppKey("rooms", Rooms)
WIRE = web.AppKey("wire", Wire)
TOKENS = web.AppKey("tokens", LinkTokens)
SERVICES = web.AppKey("services", Services)


async def create_app(settings: Settings) -> web.Application:
    """Open the database and the media port and make the application around them.

    Cleaning it up closes everything.

    Raises:
        SettingsError: if the media port, the secret's file, the database or the key ring cannot be
            used.
    """
    async with AsyncExitStack() as stack:
        app = await _create_app(settings, stack)
        opened = stack.pop_all()

    async def close(_: web.Application) -> None:
        await opened.aclose()

    app.on_cleanup.append(close)
    return app


async def _create_app(settings: Settings, stack: AsyncExitStack) -> web.Application:
    secret = server_secret(settings)
    accounts = stack.enter_context(account_services())
    services = await stack.enter_async_context(open_services(settings, accounts))
    tokens, entries = LinkTokens(secret), EntryTokens(secret)
    services = replace(services, more={**services.more, ENTRY_TOKENS: entries})
    groups = GroupSessions(services.storage)
    stack.push_async_callback(groups.close)
    formats = services.formats
    try:
        relay = await Relay.open(
            bind=settings.media_bind, port=settings.media_port, announce=media_announce(settings)
        )
    except OSError as error:
        raise SettingsError(
            f"Cannot open UDP port {settings.media_port} on {', '.join(settings.media_bind)} "
            f"(settings media_port and media_bind): {error.strerror}."
        ) from None
    stack.push_async_callback(relay.close)
    rooms = Rooms(
        relay=relay,
        admission=Entrance(tokens, entries),
        resume=ResumeTokens(secret),
        formats=formats,
        ciphersuite=settings.ciphersuite,
        capacity=settings.room_capacity,
        max_rooms=settings.max_rooms,
        grace_s=settings.rejoin_grace_s,
        groups=groups,
    )
    stack.push_async_callback(rooms.close)
    wire = Wire(
        rooms,
        origin_allowed=lambda origin, request: _origin_allowed(settings, origin, request),
        max_connections=settings.max_connections,
        max_per_address=settings.max_connections_per_address,
        address_of=client_address,
    )
    app = web.Application(middlewares=[plain_errors], client_max_size=MAX_BODY_BYTES)
    app[RELAY], app[ROOMS], app[WIRE], app[TOKENS] = relay, rooms, wire, tokens
    app[SERVICES] = services
    https = (settings.public_url or "").startswith("https:")
    secure_responses(app, https=https)
    wire.attach(app)
    add_health(app, ready=lambda: not wire.stopping and not relay.closed)
    token = settings.metrics_token
    add_metrics(
        app,
        HoldspaceCollector(relay, rooms, wire),
        None if token is None else token.get_secret_value(),
    )
    add_api(
        app,
        services,
        ROUTES,
        partial(sessions.resolve, in_live_session=rooms.has_account),
        https=https,
        changed=rooms.review_soon,
    )
    add_pages(app)

    async def stop(_: web.Application) -> None:
        await wire.stop()

    async def start(_: web.Application) -> None:
        groups.start()
        wire.start()

    app.on_startup.append(start)
    app.on_shutdown.append(stop)
    return app


@dataclass(frozen=True)
class RunningServer:
    """A server that takes requests."""

    url: str
    """Where it listens, such as http://127.0.0.1:8080."""
    app: web.Application
    rooms: Rooms
    relay: Relay
    wire: Wire
    links: Links


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[RunningServer]:
    """Run the server; leaving the context stops it in order.

    Pages are told that it stops, sockets are closed, then the media port.

    Raises:
        SettingsError: if it cannot start with these settings.
    """
    app = await create_app(settings)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
    await runner.setup()
    listener: asyncio.Server | None = None
    try:
        try:
            listener = await listen(runner, settings.host, settings.port)
        except OSError as error:
            raise SettingsError(
                f"Cannot listen on {settings.host}, port {settings.port} (settings host and port): "
                f"{_reason(error)}."
            ) from None
        port = listener.sockets[0].getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{port}"
        log.info("started", port=port, media_port=app[RELAY].port)
        links = Links(settings.public_url or url, app[TOKENS], timedelta(hours=settings.link_hours))
        try:
            yield RunningServer(url, app, app[ROOMS], app[RELAY], app[WIRE], links)
        finally:
            log.info("stopping")
            # While pages are being told, /readyz still answers, with 503.
            await app[WIRE].stop()
            listener.close()
    finally:
        await runner.cleanup()
        if listener is not None:
            log.info("stopped")


def _reason(error: OSError) -> str:
    # asyncio puts a sentence of its own, with the address once more, in place of the system's.
    if isinstance(error, socket.gaierror) or error.errno is None:
        return "there is no such address"
    return os.strerror(error.errno)


def _origin_allowed(settings: Settings, origin: str, request: web.Request) -> bool:
    """Whether a page may connect: one of the public URL, or else one of the same host."""
    if settings.public_url is not None:
        return origin == settings.public_url
    return urlsplit(origin).netloc == request.host
