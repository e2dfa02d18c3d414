"""The browser client's files, as Vite builds them into ``server/assets``."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

ASSETS = Path(__file__).parent / "assets"

NOT_BUILT = (
    "The pages of this server have not been built. In the source tree, `make demo` builds them, "
    "or `npm --prefix web ci && npm --prefix web run build`.\n"
)

NO_CACHE = "no-cache"
FOR_A_YEAR = "public, max-age=31536000, immutable"
"""For files whose names change with their contents."""

_PAGES = (
    "(sign-in|invitation|first-run|verify-email|reset-password|retention|account|guest"
    "|(administration|groups|make-ups)(/[a-zA-Z0-9_.:-]{1,128}){0,5})"
)
"""The paths that the client has pages for, beside rooms."""

_FILE = "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,99}"
"""One path segment with no separator, no leading dot and no name too long for a file system:
nothing outside the folder."""


def add_pages(app: web.Application, assets: Path = ASSETS) -> None:
    """Serve the client: its page for ``/``, every room and every other page, and its files.

    Args:
        app: the application, before it is started.
        assets: the folder that Vite built.
    """
    root = assets.resolve()

    async def page(_: web.Request) -> web.StreamResponse:
        index = root / "index.html"
        if not index.is_file():
            return web.Response(status=503, text=NOT_BUILT, headers={"Cache-Control": "no-store"})
        return web.FileResponse(index, headers={"Cache-Control": NO_CACHE})

    async def file(request: web.Request) -> web.StreamResponse:
        return _file(root, request.match_info["file"], NO_CACHE)

    async def hashed_file(request: web.Request) -> web.StreamResponse:
        return _file(root / "assets", request.match_info["file"], FOR_A_YEAR)

    app.router.add_get("/", page)
    app.router.add_get("/room/{room:[a-z0-9][a-z0-9-]{0,62}}{slash:/?}", page)
    app.router.add_get(f"/{{page:{_PAGES}}}{{slash:/?}}", page)
    app.router.add_get(f"/assets/{{file:{_FILE}}}", hashed_file)
    app.router.add_get(f"/{{file:{_FILE}}}", file)


def _file(folder: Path, name: str, cache: str) -> web.FileResponse:
    path = folder / name
    if not path.is_file() or path.name == "index.html":
        raise web.HTTPNotFound
    return web.FileResponse(path, headers={"Cache-Control": cache})
