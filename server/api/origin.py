"""Whether a request comes from a page of this server, against cross-site request forgery."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web


def is_same_origin(request: web.BaseRequest, public_url: str | None) -> bool:
    """Whether a page of this server sent it, or nobody's page.

    Browsers tell by ``Sec-Fetch-Site`` (W3C Fetch Metadata), which no page can set; ``none`` is
    what the person did by hand. Without it, and that is so on plain HTTP, ``Origin`` has to be
    there and fit. The cookie's SameSite=Strict stands behind this.

    Args:
        request: that would change something.
        public_url: the only origin there is, if it is known; else it is the host of the request.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    if public_url is not None:
        return origin == public_url
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == request.host
