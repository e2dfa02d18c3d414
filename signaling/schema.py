"""``python -m signaling.schema``: the wire's JSON Schema on standard output, for ``make types``."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from signaling.messages import EVENTS, REQUESTS, Hello, Message, Refusal


def wire_schema() -> dict[str, Any]:
    """One JSON Schema document in whose ``$defs`` every wire model stands, sorted by name."""
    models: set[type[Message]] = {Hello, Refusal, *EVENTS.values()}
    for request, acknowledgement in REQUESTS.values():
        models |= {request, acknowledgement}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schema = models_json_schema(
        [(model, "serialization") for model in ordered], title="HoldspaceWire"
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":
    print(json.dumps(wire_schema(), indent=2))
