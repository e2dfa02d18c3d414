"""Whose session a request belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose session a request belongs to; `server.accounts.sessions.resolve` gives it.

    Args:
        id: of the account.
        is_administrator: of this server.
        session_id: of the login.
        stepped_up_at: when the login was last proved, aware UTC; None if that does not count.
    """

    id: str
    is_administrator: bool
    session_id: str
    stepped_up_at: datetime | None = None
