"""What the domain says no with."""

from __future__ import annotations

import re

_CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")


class Refused(Exception):
    """A request that is not granted, with what to tell whoever asked.

    Args:
        code: what it is for programs, such as ``link_used``; lower case, never changes.
        message: one plain and kind sentence for people. It never repeats what they sent.
        status: the HTTP status, 400 to 499 (RFC 9110); 503 for what cannot be done at the moment.
        retry_after_s: in how many seconds it may be tried again, where that is known.

    Raises:
        ValueError: if the code or the status is none of these.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, *, retry_after_s: float | None = None
    ) -> None:
        if not _CODE.fullmatch(code):
            raise ValueError("a refusal's code is like link_used")
        if not (400 <= status <= 499 or status == 503):
            raise ValueError("a refusal's status is 400 to 499, or 503")
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s
