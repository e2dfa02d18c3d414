"""Email addresses: which are taken, and in which form they are kept."""

from __future__ import annotations

import re
import unicodedata

from server.refusals import Refused

MAX_CHARS = 254
"""RFC 5321, 4.5.3.1.3, without its brackets."""

# Not all that RFC 5322 allows: quoted local parts and addresses without a domain are mistakes here.
_EMAIL = re.compile(
    r"[^\s@\"(),:;<>\[\\\]]{1,64}@[^\s@\"(),:;<>\[\\\]]+\.[^\s@\"(),:;<>\[\\\].]{2,}"
)


def email_address(text: str) -> str:
    """An email address as it is kept: NFKC, without surrounding space; the case stays.

    Raises:
        Refused: ``email_invalid``.
    """
    email = unicodedata.normalize("NFKC", text).strip()
    if (
        len(email) > MAX_CHARS
        or not email.isprintable()
        or not _EMAIL.fullmatch(email)
        or ".." in email
    ):
        raise Refused("email_invalid", "Please check the email address; it seems incomplete.")
    return email
