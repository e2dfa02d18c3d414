"""Serving the routes of the API: everything that is checked before a handler runs, and after."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.signed_in import SignedIn
from server.api import answers
from server.api.access import check_access, group_access
from server.api.cookie import SessionCookie
from server.api.description import add_description
from server.api.origin import is_same_origin
from server.api.rates import Rates
from server.api.reading import read_body, read_query
from server.api.routes import Call, GroupAccess, Reply, Route, Services
from server.audit.record import AuditEvent, record
from server.proxy import client_address
from server.refusals import Refused
from server.storage.errors import StorageBusy
from server.storage.models import Group
from signaling.rates import Rate

log = structlog.get_logger(__name__)

ANONYMOUS = "anonymous"
"""The actor of what someone tried who was not signed in."""

REFUSED = "access.refused"

ADDRESS_RATE = Rate(burst=400, per_second=40)
"""All requests of one address together; several people may be behind it."""

AUDIT_RATE = Rate(burst=10, per_second=0.05)
"""Refusals of one account or address that are put on record. More would say no more, and let
anyone fill the audit."""

HANDLER_WAIT_S = 30.0
MAX_DEVICE_CHARS = 200

_PART = "[0-9A-Za-z_-][0-9A-Za-z_.:-]{0,127}"

_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Resolve(Protocol):
    """Finds the login that a token is of."""

    async def __call__(self, session: AsyncSession, token: str, now: datetime) -> SignedIn | None:
        """Whose login it is, if it is a valid one.

        Args:
            session: of a transaction; it may be noted in it that the login was used.
            token: of the cookie.
            now: the time, aware UTC.
        """


def utc_now() -> datetime:
    return datetime.now(UTC)


def add_api(
    app: web.Application,
    services: Services,
    routes: Sequence[Route],
    resolve: Resolve,
    *,
    https: bool,
    changed: Callable[[str], None] = lambda _: None,
    now: Callable[[], datetime] = utc_now,
) -> None:
    """Serve the routes, and their description at ``/api/v1/openapi.json`` and ``/api/docs``.

    Args:
        app: the application, before it is started; its other middlewares are there already.
        services: what handlers work with.
        routes: what is served; nothing else under ``/api/`` is.
        resolve: of `server.accounts.sessions`.
        https: whether people reach this server by HTTPS.
        changed: told the id of each group in which something was changed.
        now: the clock.

    Raises:
        ValueError: if two routes have the same method and path.
    """
    names = [re.sub(r"\{[a-z_]+\}", "{}", route.name) for route in routes]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"there are two routes {', '.join(sorted(twice))}")
    desk = _Desk(services, resolve, SessionCookie(https=https), changed, now)
    app.middlewares.append(json_errors)
    # A path without variable parts goes before one that would take it for such a part.
    for route in sorted(routes, key=lambda route: len(route.parameters)):
        path = re.sub(r"\{([a-z_]+)\}", rf"{{\1:{_PART}}}", route.path)
        handler = desk.handler(route)
        app.router.add_route(route.method, path, handler)
        if route.method == "GET":
            app.router.add_route("HEAD", path, handler)
    add_description(app, routes, https=https)


@web.middleware
async def json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Under ``/api/``, answer all that goes wrong as JSON that tells nothing of the inside."""
    if not request.path.startswith("/api/"):
        return await handler(request)
    try:
        return await handler(request)
    except Refused as refused:
        return answers.refusal(refused)
    except web.HTTPException as error:
        code, message = {
            404: ("not_found", "There is no such thing here."),
            405: ("not_possible", "This cannot be done here."),
            413: ("too_large", "That is too much to send at once."),
        }.get(error.status, ("bad_request", "This request was not understood."))
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return answers.problem(error.status, code, message, headers)
    except (OperationalError, PoolTimeout, ConnectionError):
        log.exception("api_without_storage")
        return answers.refusal(_busy())
    except Exception:
        log.exception("api_failed")
        return answers.problem(500, "failed", "Something went wrong on the server.")


class _Desk:
    """Takes requests in, checks them, and sends answers out."""

    def __init__(
        self,
        services: Services,
        resolve: Resolve,
        cookie: SessionCookie,
        changed: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._services = services
        self._resolve = resolve
        self._cookie = cookie
        self._changed = changed
        self._now = now
        self._rates = Rates()

    def handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._handle(route, request)

        return handle

    async def _handle(self, route: Route, request: web.Request) -> web.StreamResponse:
        now = self._now()
        address = client_address(request)
        if address is not None:
            self._limit(("address", address), ADDRESS_RATE)
        public_url = self._services.settings.public_url
        if request.method in _CHANGING and not is_same_origin(request, public_url):
            raise Refused("cross_site", "This can only be asked for by this server's pages.", 403)
        path = dict(request.match_info)
        token = self._cookie.read(request)
        account, group = await self._who(route, token, path.get("group"), now)
        asker = address if account is None or route.access == "anyone" else account.id
        if asker is not None:
            self._limit((route.name, asker), route.rate)
        try:
            check_access(route, account, group, now)
        except Refused as refused:
            await self._put_on_record(route, refused, account, path, address, now)
            raise
        call = Call(
            services=self._services,
            now=now,
            address=_ip(address),
            device=request.headers.get("User-Agent", "")[:MAX_DEVICE_CHARS],
            account=account,
            group=group,
            body=await read_body(request, route.body),
            query=read_query(request, route.query),
            path=path,
            token=token,
            https=self._cookie.is_secure(request),
            host=request.host,
        )
        try:
            async with asyncio.timeout(HANDLER_WAIT_S):
                result = await route.handler(call)
        except (StorageBusy, TimeoutError):
            raise _busy() from None
        except IntegrityError:
            # The database keeps two who do the same at once from contradicting each other.
            log.warning("api_conflict", route=route.name)
            raise Refused(
                "conflict", "Someone else changed this at the same time; please look again.", 409
            ) from None
        if request.method in _CHANGING and (group_id := path.get("group")) is not None:
            self._changed(group_id)
        return await self._answer(route, request, result)

    def _limit(self, key: tuple[str, str], rate: Rate) -> None:
        if not self._rates.take(key, rate):
            raise Refused(
                "too_fast",
                "That was too often; please wait a little.",
                429,
                retry_after_s=1 / rate.per_second,
            )

    async def _who(
        self, route: Route, token: str | None, group_id: str | None, now: datetime
    ) -> tuple[SignedIn | None, GroupAccess | None]:
        """Who asks, and as what they stand in the group of the path."""
        if token is None:
            return None, None
        try:
            async with asyncio.timeout(HANDLER_WAIT_S), self._services.storage.transaction() as db:
                account = await self._resolve(db, token, now)
                if account is None or group_id is None or route.access == "administrator":
                    return account, None
                return account, await group_access(db, account.id, group_id)
        except (StorageBusy, TimeoutError):
            raise _busy() from None

    async def _put_on_record(
        self,
        route: Route,
        refused: Refused,
        account: SignedIn | None,
        path: dict[str, str],
        address: str | None,
        now: datetime,
    ) -> None:
        """Put on record that someone was refused; but not that a page asks for a step-up."""
        if not route.audited or refused.code == "step_up":
            return
        actor = ANONYMOUS if account is None else account.id
        if not self._rates.take(
            (REFUSED, address or ANONYMOUS if account is None else actor), AUDIT_RATE
        ):
            return
        group_id = path.get("group")
        try:
            async with asyncio.timeout(HANDLER_WAIT_S), self._services.storage.transaction() as db:
                if group_id is not None:  # what was made up is nothing for the audit
                    group_id = await db.scalar(select(Group.id).where(Group.id == group_id))
                event = AuditEvent(
                    actor=actor,
                    action=REFUSED,
                    subject=group_id,
                    outcome="refused",
                    group_id=group_id,
                    address=_ip(address),
                    detail={"route": route.name, "code": refused.code},
                    time=now,
                )
                record(db, event)
        except (StorageBusy, TimeoutError):
            log.warning("refusal_not_on_record", route=route.name)

    async def _answer(
        self, route: Route, request: web.Request, result: BaseModel | Reply | None
    ) -> web.StreamResponse:
        reply = result if isinstance(result, Reply) else Reply(body=result)
        headers = {**reply.headers, **answers.NO_STORE}
        if isinstance(reply.body, AsyncIterator):
            streamed = web.StreamResponse(status=route.status, headers=headers)
            streamed.content_type = reply.content_type
            streamed.charset = "utf-8"
            return await answers.stream(request, streamed, reply.body)
        if reply.body is None:
            response = web.Response(status=204, headers=headers)
        elif isinstance(reply.body, bytes):
            response = web.Response(
                status=route.status,
                body=reply.body,
                content_type=reply.content_type,
                charset="utf-8",
                headers=headers,
            )
        else:
            response = web.Response(
                status=route.status,
                body=reply.body.model_dump_json().encode(),
                content_type="application/json",
                headers=headers,
            )
        if reply.session_token is not None:
            self._cookie.write(request, response, reply.session_token, reply.session_max_age_s)
        elif reply.clear_session:
            self._cookie.clear(request, response)
        return response


def _busy() -> Refused:
    return Refused(
        "busy", "The server is busy; please try again in a moment.", 503, retry_after_s=5
    )


def _ip(address: str | None) -> str | None:
    """Of an IPv6 network, which is what counts, its first address."""
    return None if address is None else address.partition("/")[0]
