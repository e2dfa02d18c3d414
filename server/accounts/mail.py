"""Sending email by SMTP: a bounded queue, and one task that works it off."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from time import monotonic
from types import TracebackType
from typing import Literal, Self

import aiosmtplib
import structlog
from aiosmtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

from server.refusals import Refused

log = structlog.get_logger(__name__)

TlsMode = Literal["starttls", "tls", "none"]

RETRY_AFTER_S: Sequence[float] = (5, 30, 120, 600, 1800)
"""Waiting before each further try; after the last, a letter is given up."""

MAX_WAITING = 1_000
_SEND_WAIT_S = 30.0
_CLOSE_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """How to reach the mail server.

    Args:
        host: its name.
        port: 587 for ``starttls``, 465 for ``tls`` (RFC 8314).
        sender: the address that letters are from.
        user: to log in with, if it wants that.
        password: likewise.
        tls: ``none`` sends in the clear: for a mail server on this machine only.
    """

    host: str
    port: int
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: TlsMode = "starttls"


@dataclass(frozen=True, slots=True)
class Letter:
    """A plain-text email."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)


@dataclass(order=True, slots=True)
class _Waiting:
    due: float
    number: int
    letter: Letter = field(compare=False)
    tries: int = field(default=0, compare=False)


class Mailer:
    """Sends letters while it is entered. What still waits when it ends is lost.

    Args:
        settings: how to reach the mail server.
        retry_after_s: see `RETRY_AFTER_S`.
        clock: in seconds.
    """

    def __init__(
        self,
        settings: SmtpSettings,
        retry_after_s: Sequence[float] = RETRY_AFTER_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._settings = settings
        self._retry_after_s = retry_after_s
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._numbers = itertools.count()
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work(), name="mailer")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give what is due a moment to be sent, and stop."""
        assert self._task is not None
        try:
            async with asyncio.timeout(_CLOSE_WAIT_S):
                await self._idle.wait()
        except TimeoutError:
            pass
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._waiting:
            log.warning("mail_lost", letters=len(self._waiting))

    def send(self, letter: Letter) -> None:
        """Let a letter be sent soon.

        Raises:
            Refused: ``mail_busy``, if too many wait.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise Refused(
                "mail_busy",
                "Email cannot be sent at the moment. Please try again later.",
                503,
                retry_after_s=60,
            )
        self._push(_Waiting(self._clock(), next(self._numbers), letter))

    def _push(self, waiting: _Waiting) -> None:
        heapq.heappush(self._waiting, waiting)
        self._idle.clear()
        self._changed.set()

    async def _work(self) -> None:
        while True:
            self._changed.clear()
            wait = self._waiting[0].due - self._clock() if self._waiting else None
            if wait is None or wait > 0:
                self._idle.set()
                try:
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                continue
            self._idle.clear()
            await self._try(heapq.heappop(self._waiting))

    async def _try(self, waiting: _Waiting) -> None:
        """Send one letter, or let it wait; the log says neither to whom nor what."""
        try:
            async with asyncio.timeout(_SEND_WAIT_S):
                await self._send(waiting.letter)
        except SMTPRecipientsRefused as error:
            codes = [refused.code for refused in error.recipients]
            self._failed(waiting, max(codes, default=None))
        except SMTPResponseException as error:
            self._failed(waiting, error.code)
        except (SMTPException, OSError, TimeoutError):
            self._failed(waiting, None)
        except ValueError:  # no header can be made of it
            log.warning("mail_given_up", code=None)

    def _failed(self, waiting: _Waiting, code: int | None) -> None:
        is_final = code is not None and code >= 500
        if is_final or waiting.tries >= len(self._retry_after_s):
            log.warning("mail_given_up", code=code, tries=waiting.tries + 1)
            return
        log.info("mail_waits", code=code, tries=waiting.tries + 1)
        waiting.due = self._clock() + self._retry_after_s[waiting.tries]
        waiting.tries += 1
        heapq.heappush(self._waiting, waiting)

    async def _send(self, letter: Letter) -> None:
        settings = self._settings
        message = EmailMessage()
        message["From"] = Address("Holdspace", addr_spec=settings.sender)
        message["To"] = Address(addr_spec=letter.to)
        message["Subject"] = letter.subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
        message.set_content(letter.text)
        await aiosmtplib.send(
            message,
            hostname=settings.host,
            port=settings.port,
            username=settings.user,
            password=settings.password,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            timeout=_SEND_WAIT_S,
        )
