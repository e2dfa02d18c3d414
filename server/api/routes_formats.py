"""Which formats the sessions of this server may have."""

from __future__ import annotations

from server.api.routes import PREFIX, Call, Model, Route


class FormatView(Model):
    name: str
    title: str
    description: str
    """A sentence about it; may be empty."""


class FormatList(Model):
    """The one that most sessions work in comes first."""

    formats: list[FormatView]


async def _formats(call: Call) -> FormatList:
    known = call.services.formats
    first = known.default_for("work").name
    return FormatList(
        formats=[
            FormatView(name=one.name, title=one.title, description=one.description)
            for one in (known[name] for name in sorted(known.names(), key=lambda n: n != first))
        ]
    )


ROUTES = [
    Route(
        "GET",
        f"{PREFIX}/formats",
        _formats,
        "signed_in",
        "The formats that groups can choose from for their sessions.",
        reply=FormatList,
    ),
]
