"""The cookie of a login."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

NAME = "__Host-holdspace"
LOOPBACK_NAME = "holdspace"
"""Browsers take no ``__Host-`` cookie without HTTPS."""

MAX_TOKEN_CHARS = 128


class SessionCookie:
    """Reads and writes the session cookie (RFC 6265bis).

    It is HttpOnly, SameSite=Strict and, but for plain HTTP on loopback, Secure with the ``__Host-``
    prefix. So without HTTPS nobody can sign in from elsewhere.

    Args:
        https: whether people reach this server by HTTPS.
    """

    def __init__(self, *, https: bool) -> None:
        self._https = https

    def is_secure(self, request: web.BaseRequest) -> bool:
        return self._https or not is_loopback(request.host)

    def name(self, request: web.BaseRequest) -> str:
        return NAME if self.is_secure(request) else LOOPBACK_NAME

    def read(self, request: web.BaseRequest) -> str | None:
        """The token that the browser sent, if it can be one."""
        token = request.cookies.get(self.name(request))
        if not token or len(token) > MAX_TOKEN_CHARS or not token.isascii():
            return None
        return token

    def write(
        self, request: web.BaseRequest, response: web.Response, token: str, max_age_s: int | None
    ) -> None:
        response.set_cookie(
            self.name(request),
            token,
            max_age=max_age_s,
            path="/",
            secure=self.is_secure(request),
            httponly=True,
            samesite="Strict",
        )

    def clear(self, request: web.BaseRequest, response: web.Response) -> None:
        self.write(request, response, "", 0)


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine, by ``localhost`` or a loopback address."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
