"""A person as groups know them: someone with an account, or a guest of one session."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement

from server.storage.models import Attendance, Ban, EntryConfirmation, Signature


@dataclass(frozen=True, slots=True)
class Person:
    """Exactly one of the two ids is given.

    Raises:
        ValueError: if it is not so.
    """

    account_id: str | None = None
    guest_id: str | None = None

    def __post_init__(self) -> None:
        if (self.account_id is None) == (self.guest_id is None):
            raise ValueError("a person has an account or is a guest")

    @property
    def id(self) -> str:
        """The one id that they have."""
        return self.account_id or self.guest_id or ""


def rows_of(
    model: type[Ban] | type[Attendance] | type[EntryConfirmation] | type[Signature], person: Person
) -> ColumnElement[bool]:
    """The condition that a row is this person's."""
    if person.account_id is not None:
        return model.account_id == person.account_id
    return model.guest_id == person.guest_id
