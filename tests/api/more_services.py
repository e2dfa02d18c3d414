"""What the handlers of all routes need besides storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from server.accounts.services import account_services


@contextmanager
def more_services() -> Iterator[dict[str, Any]]:
    """What `Services.more` has to have."""
    with account_services() as accounts:
        yield {"accounts": accounts}
