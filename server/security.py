"""HTTP headers that every response carries."""

from __future__ import annotations

from aiohttp import web

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_USED_FEATURES = (
    "autoplay",
    "camera",
    "display-capture",
    "fullscreen",
    "microphone",
    "publickey-credentials-create",
    "publickey-credentials-get",
    "screen-wake-lock",
    "speaker-selection",
)
_UNUSED_FEATURES = (
    "accelerometer",
    "browsing-topics",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "midi",
    "payment",
    "picture-in-picture",
    "serial",
    "storage-access",
    "usb",
    "xr-spatial-tracking",
)

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(
        [
            *(f"{feature}=(self)" for feature in _USED_FEATURES),
            *(f"{feature}=()" for feature in _UNUSED_FEATURES),
        ]
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

STRICT_TRANSPORT_SECURITY = "max-age=31536000"


def secure_responses(app: web.Application, *, https: bool) -> None:
    """Let every response of the application carry the headers.

    Args:
        app: the application, before it is started.
        https: whether people reach it by HTTPS; only then may browsers be held to that.
    """

    async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(SECURITY_HEADERS)
        if https:
            response.headers["Strict-Transport-Security"] = STRICT_TRANSPORT_SECURITY
        response.headers.popall("Server", None)  # it would tell versions

    app.on_response_prepare.append(add_headers)
