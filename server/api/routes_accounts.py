"""Routes of the administrators' list of accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from server.accounts import accounts, correspondence, directory
from server.api.account_wire import EmailOnly, Factors, act_of, site_of, writing
from server.api.routes import PREFIX, Call, Id, Model, Route


class AccountsQuery(Model):
    after: Id | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class ListedAccount(Model):
    id: str
    legal_name: str
    is_administrator: bool
    is_facilitator: bool
    created_at: datetime
    closed_at: datetime | None
    email_verified: bool
    factors: Factors


class ListedAccounts(Model):
    accounts: list[ListedAccount]
    next: str | None


class AccountParticulars(Model):
    id: str
    legal_name: str
    email: str | None
    phone: str | None


class Rights(Model):
    is_facilitator: bool
    """Whether they may make groups of their own."""


class PasswordLink(Model):
    emailed: bool
    link: str | None


async def list_accounts(call: Call) -> ListedAccounts:
    query: AccountsQuery = call.query
    services = call.services
    found = await directory.page(
        services.storage, services.keyring, act_of(call), query.after, query.limit
    )
    return ListedAccounts(
        accounts=[
            ListedAccount(
                id=each.account.id,
                legal_name=each.legal_name,
                is_administrator=each.account.is_administrator,
                is_facilitator=each.account.is_facilitator,
                created_at=each.account.created_at,
                closed_at=each.account.closed_at,
                email_verified=each.account.email_verified_at is not None,
                factors=Factors.model_validate(each.factors, from_attributes=True),
            )
            for each in found
        ],
        next=found[-1].account.id if len(found) == query.limit else None,
    )


async def account_particulars(call: Call) -> AccountParticulars:
    services = call.services
    account_id = call.path["account"]
    found = await directory.particulars(
        services.storage, services.keyring, act_of(call), account_id
    )
    return AccountParticulars(
        id=account_id, legal_name=found.legal_name, email=found.email, phone=found.phone
    )


async def close_account(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await accounts.close(session, act_of(call), call.path["account"])


async def set_rights(call: Call) -> None:
    body: Rights = call.body
    async with call.services.storage.transaction() as session:
        await accounts.let_make_groups(
            session, act_of(call), call.path["account"], is_facilitator=body.is_facilitator
        )


async def set_email(call: Call) -> None:
    await correspondence.set_email(*writing(call), call.path["account"], call.body.email)


async def password_link(call: Call) -> PasswordLink:
    link = await correspondence.password_link(*writing(call), site_of(call), call.path["account"])
    return PasswordLink(emailed=link is None, link=link)


ROUTES = [
    Route(
        "GET",
        f"{PREFIX}/accounts",
        list_accounts,
        "administrator",
        "List accounts with their names, which is put on record.",
        query=AccountsQuery,
        reply=ListedAccounts,
    ),
    Route(
        "GET",
        f"{PREFIX}/accounts/{{account}}",
        account_particulars,
        "administrator",
        "Show the name and contacts of an account, which is put on record.",
        reply=AccountParticulars,
    ),
    Route(
        "POST",
        f"{PREFIX}/accounts/{{account}}/close",
        close_account,
        "administrator",
        "Close an account.",
        step_up=True,
    ),
    Route(
        "PUT",
        f"{PREFIX}/accounts/{{account}}/email",
        set_email,
        "administrator",
        "Change the email address of an account.",
        body=EmailOnly,
        step_up=True,
    ),
    Route(
        "PUT",
        f"{PREFIX}/accounts/{{account}}/rights",
        set_rights,
        "administrator",
        "Say whether someone may make groups of their own.",
        body=Rights,
        step_up=True,
    ),
    Route(
        "POST",
        f"{PREFIX}/accounts/{{account}}/password-reset",
        password_link,
        "administrator",
        "Make a link by which someone sets a new password.",
        reply=PasswordLink,
        step_up=True,
    ),
]
