"""The routes of accounts over HTTP, from an empty server on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from server.accounts import invitations, sessions
from server.api.account_wire import SERVICES
from server.api.app import add_api
from server.api.every_route import ROUTES
from server.api.routes import Services
from server.groups import memberships
from server.settings import Settings
from tests.accounts.authenticator import Authenticator
from tests.accounts.place import NOW, PASSWORD, Place


@dataclass
class Site:
    """The API, its clock, and one browser."""

    client: TestClient[web.Request, web.Application]
    now: datetime = field(default=NOW)

    @property
    def origin(self) -> str:
        return str(self.client.make_url("/")).rstrip("/")

    async def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, status: int = 200
    ) -> Any:
        async with self.client.request(
            method,
            "/api/v1" + path,
            json=body,
            headers={"Origin": self.origin, "User-Agent": "Firefox/140.0 (X11; Linux)"},
        ) as response:
            answer = await response.json() if response.content_length else None
            assert response.status == status, answer
        return answer

    async def refused(self, method: str, path: str, body: dict[str, Any] | None = None) -> str:
        async with self.client.request(
            method, "/api/v1" + path, json=body, headers={"Origin": self.origin}
        ) as response:
            assert 400 <= response.status < 500
            return str((await response.json())["error"]["code"])


@pytest.fixture
async def site(place: Place, tmp_path: Path) -> AsyncIterator[Site]:
    app = web.Application()
    services = Services(
        place.storage,
        place.keyring,
        Settings(data_dir=tmp_path),
        more={SERVICES: place.services},
    )
    server = TestServer(app, host="localhost")
    client = TestClient(server, cookie_jar=CookieJar(unsafe=True))
    made = Site(client)
    add_api(app, services, ROUTES, sessions.resolve, https=False, now=lambda: made.now)
    async with client:
        yield made


async def first_administrator(place: Place, site: Site) -> str:
    """Sets one up by password and authenticator app; the app's secret."""
    token = await invitations.create_first_administrator(place.storage, site.now)
    look = await site.ask("POST", "/invitations/look", {"token": token})
    assert (look["is_administrator"], look["is_facilitator"]) == (True, False)
    accepted = await site.ask(
        "POST",
        "/invitations/accept",
        {
            "token": token,
            "legal_name": "Ada Lovelace",
            "email": "ada@example.org",
            "time_zone": "Europe/London",
            "password": PASSWORD,
        },
    )
    assert accepted["next"] == ["set_up"]
    assert await site.refused("GET", "/me") == "signed_out"
    ticket = accepted["ticket"]
    app = await site.ask("POST", "/set-up/totp", {"ticket": ticket})
    totp = {"ticket": app["ticket"], "code": pyotp.TOTP(app["secret"]).at(site.now)}
    me = await site.ask("POST", "/set-up/totp/confirm", {"ticket": ticket, "totp": totp})
    assert (me["is_administrator"], me["may_make_groups"]) == (True, False)
    return str(app["secret"])


async def test_from_nothing_to_a_second_person_with_a_passkey(place: Place, site: Site) -> None:
    secret = await first_administrator(place, site)
    me = await site.ask("GET", "/me")
    assert me["factors"] == {"password": True, "totp": True, "passkeys": 0, "recovery_codes": 0}
    assert len((await site.ask("POST", "/me/recovery-codes"))["codes"]) == 10
    profile = await site.ask("GET", "/me/profile")
    assert profile["email"] == "ada@example.org"
    await site.ask("PUT", "/me/profile", {"legal_name": "Ada King", "phone": "555 0100"}, 204)
    assert (await site.ask("GET", "/me/devices"))["devices"][0]["label"] == "Firefox on Linux"
    [listed] = (await site.ask("GET", "/accounts"))["accounts"]
    assert listed["legal_name"] == "Ada King"
    invited = await site.ask(
        "POST", "/invitations", {"email": "grace@example.org", "is_facilitator": True}
    )
    assert not invited["emailed"]
    token = invited["link"].removeprefix(f"{site.origin}/invitation#")

    # After ten minutes what is sensitive needs a fresh proof.
    site.now += timedelta(minutes=11)
    assert await site.refused("POST", "/me/recovery-codes") == "step_up"
    assert await site.refused("POST", "/invitations", {"is_administrator": True}) == "step_up"
    code = pyotp.TOTP(secret).at(site.now)
    await site.ask("POST", "/step-up/password", {"password": PASSWORD, "code": code})
    await site.ask("POST", "/me/recovery-codes")
    await site.ask("POST", "/sign-out", None, 204)
    assert await site.refused("GET", "/me") == "signed_out"

    phone = Authenticator(site.origin)
    asked = await site.ask(
        "POST", "/invitations/passkey-options", {"token": token, "email": "grace@example.org"}
    )
    accepted = await site.ask(
        "POST",
        "/invitations/accept",
        {
            "token": token,
            "legal_name": "Grace Hopper",
            "email": "grace@example.org",
            "passkey": {"ticket": asked["ticket"], "credential": phone.make(asked["options"])},
        },
    )
    assert accepted == {"ticket": None, "next": []}
    assert await site.refused("GET", "/accounts") == "not_allowed"
    assert (await site.ask("GET", "/me"))["may_make_groups"]
    await site.ask("POST", "/sign-out", None, 204)

    asked = await site.ask("POST", "/sign-in/passkey/options")
    proof = {"ticket": asked["ticket"], "credential": phone.use(asked["options"])}
    me = await site.ask("POST", "/sign-in/passkey", proof)
    assert not me["is_administrator"]
    assert await site.refused("POST", "/sign-in/passkey", proof) == "passkey_refused"
    [passkey] = (await site.ask("GET", "/me/passkeys"))["passkeys"]
    await site.ask("PUT", f"/me/passkeys/{passkey['id']}", {"label": "My phone"}, 204)
    assert await site.refused("DELETE", f"/me/passkeys/{passkey['id']}") == "last_factor"
    asked = await site.ask("POST", "/step-up/passkey/options")
    proof = {"ticket": asked["ticket"], "credential": phone.use(asked["options"])}
    await site.ask("POST", "/step-up/passkey", proof)
    await site.ask("POST", "/me/close", None, 204)
    assert await site.refused("GET", "/me") == "signed_out"


async def test_an_administrator_says_who_may_make_groups(place: Place, site: Site) -> None:
    await first_administrator(place, site)
    [listed] = (await site.ask("GET", "/accounts"))["accounts"]
    assert not listed["is_facilitator"]
    rights = f"/accounts/{listed['id']}/rights"
    for is_facilitator in (True, False):
        await site.ask("PUT", rights, {"is_facilitator": is_facilitator}, 204)
        assert (await site.ask("GET", "/me"))["may_make_groups"] == is_facilitator
        [listed] = (await site.ask("GET", "/accounts"))["accounts"]
        assert listed["is_facilitator"] == is_facilitator
    assert await site.refused("PUT", "/accounts/nobody/rights", {"is_facilitator": True}) == (
        "not_found"
    )
    site.now += timedelta(minutes=11)
    assert await site.refused("PUT", rights, {"is_facilitator": True}) == "step_up"


async def test_a_facilitator_invites_participants_without_and_others_with_a_fresh_proof(
    place: Place, site: Site
) -> None:
    secret = await first_administrator(place, site)
    group = await place.group()
    me = (await site.ask("GET", "/me"))["id"]
    await place.guides(group, me)
    site.now += timedelta(minutes=11)
    path = f"/groups/{group}/invitations"
    await site.ask("POST", path, {})
    for role in ("counselor", "facilitator"):
        assert await site.refused("POST", path, {"role": role}) == "step_up"
    assert await site.refused("POST", path, {"role": "administrator"}) == "invalid"
    code = pyotp.TOTP(secret).at(site.now)
    await site.ask("POST", "/step-up/password", {"password": PASSWORD, "code": code})
    for role in ("counselor", "facilitator"):
        made = await site.ask("POST", path, {"role": role})
        token = made["link"].rpartition("#")[2]
        look = await site.ask("POST", "/invitations/look", {"token": token})
        assert (look["group_name"], look["role"]) == ("Tuesday circle", role)
    listed = (await site.ask("GET", path))["invitations"]
    assert sorted(each["role"] for each in listed) == ["counselor", "facilitator", "participant"]
    # As an administrator: that they would be let in here is on the group's own record.
    async with place.storage.transaction() as session:
        member = await memberships.current(session, group, me)
        assert member is not None
        member.removed_at = site.now
    await site.ask("POST", "/invitations", {"group": group})
    asked = await site.refused("POST", "/invitations", {"group": group, "is_administrator": True})
    assert asked == "bad_terms"
    assert await site.refused("POST", "/invitations", {"group": "nowhere"}) == "not_found"
    record = await site.ask("GET", f"/audit?group={group}")
    made = [event for event in record["events"] if event["action"] == "invitation.made"]
    assert made[0]["detail"] == {
        "role": "facilitator",
        "administrator": False,
        "facilitator": False,
    }


async def test_signing_in_by_password_and_code(place: Place, site: Site) -> None:
    secret = await first_administrator(place, site)
    await site.ask("POST", "/sign-out", None, 204)
    site.now += timedelta(minutes=1)
    wrong = {"email": "ada@example.org", "password": "wrong"}
    assert await site.refused("POST", "/sign-in/password", wrong) == "wrong_credentials"
    half = await site.ask("POST", "/sign-in/password", {**wrong, "password": PASSWORD})
    assert half["next"] == ["totp"]
    code = {"ticket": half["ticket"], "code": pyotp.TOTP(secret).at(site.now)}
    await site.ask("POST", "/sign-in/totp", code)
    assert await site.refused("POST", "/sign-in/totp", code) == "ticket_ended"
    site.now += timedelta(minutes=15)
    assert await site.refused("GET", "/me") == "signed_out"


async def test_a_password_reset_is_answered_alike_for_all(place: Place, site: Site) -> None:
    await place.person()
    for email in ("ada@example.org", "nobody@example.org"):
        assert await site.ask("POST", "/password-reset", {"email": email}, 204) is None
