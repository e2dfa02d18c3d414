"""``python -m signaling.schema``: the wire's JSON Schema on standard output, for ``make types``."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from signaling.messages import EVENTS, REQUESTS, Hello, Message, Refusal


def wire_schema() -> dict[str, Any]:
    """One JSON Schema document in whose ``$defs`` every wire model stands, sorted by name."""
    received: set[type[Message]] = {Hello, *(request.payload for request in REQUESTS.values())}
    sent: set[type[Message]] = {
        Refusal,
        *EVENTS.values(),
        *(request.reply for request in REQUESTS.values()),
    }
    models: list[tuple[type[Message], JsonSchemaMode]] = [
        (model, "validation") for model in received
    ]
    models += [(model, "serialization") for model in sent]
    models.sort(key=lambda entry: entry[0].__name__)
    _, schema = models_json_schema(models, title="HoldspaceWire")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":
    print(json.dumps(wire_schema(), indent=2))
