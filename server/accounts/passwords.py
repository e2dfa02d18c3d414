"""Passwords: how strong one has to be, and how it is kept (OWASP ASVS 5, 6.2 and 11.4.2)."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from zxcvbn import zxcvbn

from server.refusals import Refused
from server.storage.models import Password

T = TypeVar("T")

MAX_CHARS = 256
MIN_CHARS = 8
LONG_CHARS = 12
STRONG_SCORE = 3
TRIVIAL_SCORE = 1

_SCORED_CHARS = 72
"""zxcvbn takes no more: its time grows with the square of the length."""

_AT_ONCE = 2
_MAX_WAITING = 64
_WAIT_S = 20.0


def argon2id() -> PasswordHasher:
    """Argon2id with 46 MiB, one pass and one lane: OWASP Password Storage Cheat Sheet."""
    return PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)


def _bytes(password: str) -> bytes:
    """NFKC, so that it is the same from every keyboard (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password).encode()


class Passwords:
    """Hashes and checks passwords in threads, a few at a time, so that the loop never waits.

    Args:
        hasher: Argon2id with its parameters.
        at_once: how many threads there are; each needs the memory of one hash.
    """

    def __init__(self, hasher: PasswordHasher | None = None, at_once: int = _AT_ONCE) -> None:
        self._hasher = hasher or argon2id()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="password")
        self._waiting = 0
        # Made here once: the first check of an unknown account is not to take longer.
        self._dummy = self._hasher.hash(b"of nobody")
        self.checks = 0
        """How often a password was compared with a hash."""

    def close(self) -> None:
        """Let the threads end; what is being hashed is finished first."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """A new hash, in PHC string format.

        Raises:
            Refused: ``busy``.
        """
        return await self._in_thread(partial(self._hasher.hash, _bytes(password)))

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Whether this is the password, in constant time.

        Args:
            hashed: what is stored; with None as much work is done, and it does not match.
            password: what was given.

        Raises:
            Refused: ``busy``.
        """
        return await self._in_thread(partial(self._compare, hashed, password))

    def is_outdated(self, hashed: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(hashed)

    async def refuse_weak(self, password: str, about: Sequence[str]) -> None:
        """Refuse a password that is easy to guess. There are no rules of composition.

        Args:
            password: the new one.
            about: what others know of the person, such as name and email.

        Raises:
            Refused: ``password_weak``, ``password_long`` or ``busy``.
        """
        if len(password) > MAX_CHARS:
            raise Refused("password_long", f"A password can have up to {MAX_CHARS} characters.")
        score = await self._in_thread(partial(_score, password, about))
        is_long = len(password) >= LONG_CHARS and score > TRIVIAL_SCORE
        if len(password) < MIN_CHARS or not (is_long or score >= STRONG_SCORE):
            raise Refused(
                "password_weak",
                "This password would be easy to guess. Please take a longer one; a few words "
                "that have nothing to do with each other are fine.",
            )

    def _compare(self, hashed: str | None, password: str) -> bool:
        self.checks += 1
        try:
            self._hasher.verify(hashed or self._dummy, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False
        return hashed is not None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MAX_WAITING:
            raise _busy()
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        # Not when the caller gives up: the work itself goes on in its thread.
        future.add_done_callback(self._done)
        try:
            async with asyncio.timeout(_WAIT_S):
                return await asyncio.shield(future)
        except TimeoutError:
            raise _busy() from None

    def _done(self, future: asyncio.Future[T]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # or asyncio would complain that nobody looked


def _busy() -> Refused:
    return Refused(
        "busy", "The server is busy; please try again in a moment.", 503, retry_after_s=5
    )


def _score(password: str, about: Sequence[str]) -> int:
    words = [
        word
        for text in about
        for word in (text, "".join(text.split()), *text.replace("@", " ").split())
        if word
    ]
    result = zxcvbn(password[:_SCORED_CHARS], user_inputs=["holdspace", *words][:20])
    return int(result["score"])


async def store(session: AsyncSession, account_id: str, hashed: str, now: datetime) -> None:
    """Give an account this password, in place of another. Its failures stay counted."""
    password = await session.get(Password, account_id)
    if password is None:
        session.add(Password(account_id=account_id, hash=hashed, changed_at=now))
        await session.flush()
    else:
        password.hash, password.changed_at = hashed, now


async def store_rehashed(session: AsyncSession, account_id: str, old: str, new: str) -> None:
    """Replace a hash by one of the same password, unless that was changed meanwhile."""
    await session.execute(
        update(Password)
        .where(Password.account_id == account_id, Password.hash == old)
        .values(hash=new)
    )
