"""What logging in needs in memory; one for the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from server.accounts.expiring import ExpiringStore
from server.accounts.passkeys import Challenge
from server.accounts.passwords import Passwords
from server.accounts.slow_down import PER_ACCOUNT, PER_ADDRESS, PER_LINK, SlowDown
from server.accounts.totp import Enrolment


@dataclass(frozen=True, slots=True)
class Proven:
    """Someone gave the right password: half a login.

    Args:
        account_id: whose.
        password_hash: of the password given; the ticket ends when another is set.
        key: by which failures are counted.
    """

    account_id: str
    password_hash: str = field(repr=False)
    key: bytes


@dataclass(frozen=True)
class AccountServices:
    """See `account_services`.

    Args:
        passwords: hashes them.
        by_account: failures by account, whether or not it exists.
        by_address: failures by IP address.
        by_link: tries by invitation.
        letters: emails by address, so that nobody's mailbox is flooded.
        proven: passwords given, by ticket.
        anonymous: challenges of logins; apart, because anyone can ask for one.
        challenges: other challenges.
        enrolments: authenticator apps that are being set up.
    """

    passwords: Passwords
    by_account: SlowDown = field(default_factory=lambda: SlowDown(PER_ACCOUNT))
    by_address: SlowDown = field(default_factory=lambda: SlowDown(PER_ADDRESS))
    by_link: SlowDown = field(default_factory=lambda: SlowDown(PER_LINK))
    letters: SlowDown = field(default_factory=lambda: SlowDown(PER_ACCOUNT))
    proven: ExpiringStore[Proven] = field(default_factory=ExpiringStore)
    anonymous: ExpiringStore[Challenge] = field(default_factory=ExpiringStore)
    challenges: ExpiringStore[Challenge] = field(default_factory=ExpiringStore)
    enrolments: ExpiringStore[Enrolment] = field(default_factory=ExpiringStore)


@contextmanager
def account_services(passwords: Passwords | None = None) -> Iterator[AccountServices]:
    """Make them, and end their threads at last; enter it before serving, not within the loop."""
    services = AccountServices(passwords or Passwords())
    try:
        yield services
    finally:
        services.passwords.close()
