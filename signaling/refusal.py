"""A request that is turned down, with a reason that can be shown."""

from __future__ import annotations

from signaling.messages import ErrorCode, Problem, Refusal


class Refused(Exception):
    """Raised wherever a visitor's request cannot be granted.

    Args:
        code: for programs; one of :data:`signaling.messages.ErrorCode`.
        sentence: for people; says in plain words what is wrong. It never repeats what was sent.
    """

    def __init__(self, code: ErrorCode, sentence: str) -> None:
        super().__init__(code)
        self.code: ErrorCode = code
        self.sentence = sentence

    def message(self) -> Refusal:
        """The acknowledgement that says so on the wire."""
        return Refusal(error=Problem(code=self.code, message=self.sentence))
