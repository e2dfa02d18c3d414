"""The administrators' list of accounts. Names are sealed, so every look is on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from server.accounts.accounts import name_of
from server.accounts.factors import Factors, factors_of
from server.audit.viewing import VIEWED, view_sealed
from server.groups.act import Act, on_record
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.keyring import KeyRing
from server.storage.models import Account


@dataclass(frozen=True, slots=True)
class Listed:
    """An account with its name."""

    account: Account
    legal_name: str = field(repr=False)
    factors: Factors


@dataclass(frozen=True, slots=True)
class Particulars:
    """What is sealed of an account."""

    legal_name: str = field(repr=False)
    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)


async def page(
    storage: Storage, keyring: KeyRing, act: Act, after: str | None, limit: int
) -> Sequence[Listed]:
    """Some accounts with their names, in order of id; put on record as one look at all of them.

    Args:
        storage: where they are.
        keyring: opens names.
        act: of the administrator.
        after: the id of the last one of the page before.
        limit: how many at most.
    """
    async with storage.transaction() as session:
        query = select(Account).order_by(Account.id).limit(limit)
        if after is not None:
            query = query.where(Account.id > after)
        found = (await session.scalars(query)).all()
        factors = [await factors_of(session, account.id) for account in found]
        if found:
            on_record(
                session,
                act,
                VIEWED,
                None,
                None,
                table=Account.__tablename__,
                fields=[Account.legal_name.key],
                rows=[account.id for account in found],
            )
    return [
        Listed(account, name_of(keyring, account), its)
        for account, its in zip(found, factors, strict=True)
    ]


async def particulars(storage: Storage, keyring: KeyRing, act: Act, account_id: str) -> Particulars:
    """Name and contacts of one account, one's own or as an administrator.

    Raises:
        Refused: ``not_found``.
    """
    opened = await view_sealed(
        storage,
        keyring,
        [Account.legal_name, Account.email, Account.phone],
        account_id,
        actor=act.actor,
        address=act.address,
    )
    if opened is None:
        raise Refused("not_found", "There is no such account.", 404)
    return Particulars(opened["legal_name"] or "", opened["email"], opened["phone"])
