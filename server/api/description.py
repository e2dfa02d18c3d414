"""The API described: OpenAPI 3.1 for programs, and a page for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib.metadata import version
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from server.api.answers import ErrorReply
from server.api.cookie import LOOPBACK_NAME, NAME
from server.api.routes import GROUP_ACCESS, PREFIX, Access, Route

OPENAPI_PATH = f"{PREFIX}/openapi.json"
DOCS_PATH = "/api/docs"
STYLE_PATH = "/api/docs.css"

_TEMPLATE = "#/components/schemas/{model}"

WHO: dict[Access, str] = {
    "anyone": "anyone",
    "signed_in": "whoever is signed in",
    "administrator": "administrators of the server",
    "member": "members of the group",
    "participant": "participants of the group",
    "facilitator": "facilitators of the group",
    "care": "facilitators and counselors of the group",
}


def openapi(routes: Sequence[Route], *, https: bool) -> dict[str, Any]:
    """The description as OpenAPI 3.1.

    Beyond the standard, operations have ``x-access``, the route's access, and ``x-step-up``,
    whether they need a login that was proved in the last minutes.
    """
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
        (ErrorReply, "serialization"): None
    }
    for route in routes:
        for model, mode in _models(route):
            wanted[model, mode] = None
    references, definitions = models_json_schema(list(wanted), ref_template=_TEMPLATE)
    schemas: dict[str, Any] = definitions.get("$defs", {})
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation: dict[str, Any] = {
            "operationId": _operation_id(route),
            "summary": route.summary,
            "tags": [_subject(route)],
            "x-access": route.access,
            "x-step-up": route.step_up,
            "parameters": [
                *_path_parameters(route),
                *_query_parameters(route, references, schemas),
            ],
            "responses": _responses(route, references),
            "security": [] if route.access == "anyone" else [{"session": []}],
        }
        if route.body is not None:
            schema = references[route.body, "validation"]
            operation["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": schema}},
            }
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Holdspace", "version": version("holdspace")},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": NAME if https else LOOPBACK_NAME,
                }
            },
        },
    }


def add_description(app: web.Application, routes: Sequence[Route], *, https: bool) -> None:
    """Serve the description; it tells nothing that the source does not."""
    description = openapi(routes, https=https)
    document = json.dumps(description).encode()
    page = docs_page(description).encode()

    async def serve_openapi(_: web.Request) -> web.Response:
        return _file(document, "application/json")

    async def serve_page(_: web.Request) -> web.Response:
        return _file(page, "text/html")

    async def serve_style(_: web.Request) -> web.Response:
        return _file(_STYLE.encode(), "text/css")

    app.router.add_get(OPENAPI_PATH, serve_openapi)
    app.router.add_get(DOCS_PATH, serve_page)
    app.router.add_get(STYLE_PATH, serve_style)


def _file(body: bytes, content_type: str) -> web.Response:
    charset = None if content_type == "application/json" else "utf-8"
    return web.Response(
        body=body,
        content_type=content_type,
        charset=charset,
        headers={"Cache-Control": "no-cache"},
    )


def _models(route: Route) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    if route.body is not None:
        yield route.body, "validation"
    if route.query is not None:
        yield route.query, "validation"
    if route.reply is not None:
        yield route.reply, "serialization"


def _operation_id(route: Route) -> str:
    return re.sub(r"[^a-z]+", "_", f"{route.method} {route.path[len(PREFIX) :]}".lower()).strip("_")


def _subject(route: Route) -> str:
    """The first fixed part of the path after the group, or else of all."""
    parts = route.path[len(PREFIX) + 1 :].split("/")
    return parts[2] if route.access in GROUP_ACCESS and len(parts) > 2 else parts[0]


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    pattern = "^[0-9A-Za-z_-][0-9A-Za-z_.:-]{0,127}$"
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": pattern},
        }
        for name in route.parameters
    ]


def _query_parameters(
    route: Route, references: dict[Any, Any], schemas: dict[str, Any]
) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    reference: str = references[route.query, "validation"]["$ref"]
    schema = schemas[reference.rpartition("/")[2]]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": field,
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _responses(route: Route, references: dict[Any, Any]) -> dict[str, Any]:
    error = {
        "description": "Not granted",
        "content": {"application/json": {"schema": references[ErrorReply, "serialization"]}},
    }
    if route.reply is not None:
        content = {"application/json": {"schema": references[route.reply, "serialization"]}}
        done: dict[str, Any] = {str(route.status): {"description": "Done", "content": content}}
    elif route.content_type != "application/json":
        content = {route.content_type: {"schema": {"type": "string"}}}
        done = {str(route.status): {"description": "Done", "content": content}}
    else:
        done = {"204": {"description": "Done"}}
    return {**done, "4XX": error, "503": {**error, "description": "Busy; try again"}}


def docs_page(description: dict[str, Any]) -> str:
    """The page for people: every operation by subject, and every model."""
    by_subject: dict[str, list[str]] = {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            by_subject.setdefault(operation["tags"][0], []).append(
                _operation(method, path, operation)
            )
    subjects = "\n".join(
        f'<section><h2 id="{escape(name)}">{escape(name)}</h2>{"".join(parts)}</section>'
        for name, parts in sorted(by_subject.items())
    )
    models = "\n".join(
        f'<section><h3 id="model-{escape(name)}">{escape(name)}</h3>'
        f"<pre>{escape(json.dumps(schema, indent=2, ensure_ascii=False))}</pre></section>"
        for name, schema in sorted(description["components"]["schemas"].items())
    )
    links = " · ".join(
        f'<a href="#{escape(name)}">{escape(name)}</a>' for name in sorted(by_subject)
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Holdspace API</title>
<link rel="stylesheet" href="{STYLE_PATH}">
</head>
<body>
<main>
<h1>Holdspace API</h1>
<p>For programs: <a href="{OPENAPI_PATH}">openapi.json</a> (OpenAPI 3.1). Sign-in is by the session
cookie. What changes something takes JSON, from this server's own pages only. Every refusal is
<code>{{"error": {{"code", "message"}}}}</code>.</p>
<nav>{links} · <a href="#models">models</a></nav>
{subjects}
<h2 id="models">models</h2>
{models}
</main>
</body>
</html>
"""


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<p>{escape(operation['summary'])}</p>"]
    who = WHO[operation["x-access"]]
    again = ", with the login proved in the last 10 minutes" if operation["x-step-up"] else ""
    parts.append(f"<p>For {escape(who)}{again}.</p>")
    query = [each["name"] for each in operation["parameters"] if each["in"] == "query"]
    if query:
        parts.append(f"<p>Query: {escape(', '.join(query))}</p>")
    if "requestBody" in operation:
        parts.append(f"<p>Takes {_content(operation['requestBody']['content'])}</p>")
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            content = _content(response["content"]) if "content" in response else "nothing"
            parts.append(f"<p>Gives {content} ({escape(status)})</p>")
    name = f"{method.upper()} {path}"
    return (
        f'<article id="{escape(operation["operationId"])}"><h3><code>{escape(name)}</code></h3>'
        + ("".join(parts) + "</article>\n")
    )


def _content(content: dict[str, Any]) -> str:
    ((kind, value),) = content.items()
    reference = value["schema"].get("$ref")
    if reference is None:
        return f"<code>{escape(kind)}</code>"
    name = escape(reference.rpartition("/")[2])
    return f'<a href="#model-{name}">{name}</a>'


_STYLE = """:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
main { max-width: 50rem; margin: 0 auto; padding: 1rem; }
article { border-top: 1px solid; padding: 0.5rem 0; }
article p { margin: 0.25rem 0; }
h3 { margin: 0.5rem 0; font-size: 1rem; overflow-wrap: anywhere; }
pre { overflow-x: auto; }
"""
