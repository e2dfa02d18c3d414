"""A real SMTP server on loopback, and what arrives at it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP

WAIT_S = 20


class Mailbox:
    """What arrived; can be told to turn letters away first."""

    def __init__(self) -> None:
        self.letters: list[tuple[list[str], Message]] = []
        self.answers: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802 - given by aiosmtpd
        if self.answers:
            return self.answers.pop(0)
        message = message_from_bytes(envelope.content, policy=default)
        self.letters.append((envelope.rcpt_tos, message))
        return "250 OK"

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self.letters) < count:
                await asyncio.sleep(0.01)

    def text(self, number: int = -1) -> str:
        return str(self.letters[number][1].get_content())  # type: ignore[attr-defined]

    def token(self, number: int = -1) -> str:
        match = re.search(r"#(\S+)", self.text(number))
        assert match is not None
        return match[1]

    async def link(self, to: str, subject: str) -> str:
        """The link in the latest letter to someone with this subject, once there is one."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for number, (recipients, message) in reversed(list(enumerate(self.letters))):
                    if recipients == [to] and message["Subject"] == subject:
                        match = re.search(r"https?://\S+", self.text(number))
                        assert match is not None
                        return match[0]
                await asyncio.sleep(0.01)


@asynccontextmanager
async def receiving(mailbox: Mailbox) -> AsyncIterator[int]:
    """Let letters arrive; gives the port on 127.0.0.1."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
