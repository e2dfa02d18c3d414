"""Legal names and contacts: for a group's facilitators only, and every look is on record."""

from __future__ import annotations

from dataclasses import dataclass

from server.audit.viewing import view_sealed
from server.groups import memberships
from server.groups.act import Act
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.keyring import KeyRing
from server.storage.models import Account


@dataclass(frozen=True, slots=True)
class Contacts:
    """How to reach someone outside a session."""

    legal_name: str
    email: str | None
    phone: str | None


async def view_contacts(
    storage: Storage, keyring: KeyRing, act: Act, group_id: str, membership_id: str
) -> Contacts:
    """The legal name and contacts of a member.

    Raises:
        Refused: ``not_found``.
    """
    async with storage.snapshot() as session:
        account_id = (await memberships.find(session, group_id, membership_id)).account_id
    opened = await view_sealed(
        storage,
        keyring,
        [Account.legal_name, Account.email, Account.phone],
        account_id,
        actor=act.actor,
        group_id=group_id,
        address=act.address,
    )
    if opened is None:
        raise Refused("not_found", "This person is not in the group.", 404)
    return Contacts(opened["legal_name"] or "", opened["email"], opened["phone"])


async def view_legal_name(
    storage: Storage, keyring: KeyRing, act: Act, group_id: str, account_id: str
) -> str | None:
    """The legal name of someone who came to the group; None if the account is gone."""
    opened = await view_sealed(
        storage,
        keyring,
        [Account.legal_name],
        account_id,
        actor=act.actor,
        group_id=group_id,
        address=act.address,
    )
    return None if opened is None else opened["legal_name"]
