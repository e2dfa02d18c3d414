"""Accounts as their owners use them: a password with an authenticator app, recovery codes, proving
again who one is, devices, automatic logoff, and links by email from a real SMTP server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect
from sqlalchemy import update

from server.accounts.invitations import create_first_administrator
from server.accounts.links import Site
from server.app import SERVICES, RunningServer, running
from server.storage.models import LoginSession, TotpSecret
from tests.accounts.mailbox import Mailbox, receiving
from tests.e2e.axe import is_well_made
from tests.e2e.clinic import PATIENCE_MS, Person
from tests.loopback import on_loopback

pytestmark = pytest.mark.asyncio(loop_scope="session")

EMAIL = "fay@example.org"
PASSWORD = "gentle otter under seven bridges"
NEW_PASSWORD = "four lanterns beside the river"


class Fay(Person):
    """Someone with a password, an authenticator app and recovery codes."""

    server: RunningServer
    account_id = ""
    secret = ""
    recovery: list[str]

    async def change(self, table: Any, **values: Any) -> None:
        """Change what the database has of her, such as times that nobody waits for."""
        async with self.server.app[SERVICES].storage.transaction() as session:
            whose = update(table).where(table.account_id == self.account_id)
            await session.execute(whose.values(**values))

    async def code(self) -> str:
        """What the app shows, as if the last code had been long ago."""
        await self.change(TotpSecret, last_step=None)
        return pyotp.TOTP(self.secret).now()

    def wrong_code(self) -> str:
        return f"{(int(pyotp.TOTP(self.secret).now()) + 500_000) % 1_000_000:06}"

    async def let_proof_be_old(self) -> None:
        await self.change(LoginSession, stepped_up_at=datetime.now(UTC) - timedelta(minutes=11))

    @property
    def problem(self) -> Locator:
        return self.page.get_by_role("alert").filter(visible=True)

    async def give_password(self, password: str, page: Page | None = None) -> None:
        """The first half of signing in."""
        page = page or self.page
        await page.get_by_label("Email").fill(EMAIL)
        await page.get_by_label("Password", exact=True).fill(password)
        await page.get_by_test_id("sign-in-password").click()

    async def give_code(self, code: str, button: str, page: Page | None = None) -> None:
        page = page or self.page
        await page.get_by_label("The 6 digits").fill(code)
        await page.get_by_role("button", name=button, exact=True).click()

    async def sign_out(self) -> None:
        await self.button("Sign out").first.click()
        await expect(self.page.get_by_test_id("sign-in")).to_contain_text("You are signed out")

    async def go_to_account(self, page: Page | None = None) -> None:
        page = page or self.page
        await page.goto(f"{self.server.url}/account")
        await page.get_by_test_id("devices").get_by_text("this device").wait_for()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mailbox() -> Mailbox:
    return Mailbox()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(
    mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningServer]:
    async with receiving(mailbox) as port:
        settings = on_loopback(
            tmp_path_factory.mktemp("accounts"),
            host="localhost",
            smtp_host="127.0.0.1",
            smtp_port=port,
            smtp_tls="none",
            smtp_from="holdspace@example.org",
        )
        async with running(settings) as running_server:
            yield running_server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fay(browser: Browser, server: RunningServer) -> AsyncIterator[Fay]:
    fay = await Fay.arrive(await browser.new_context(), "Fay")
    assert isinstance(fay, Fay)
    fay.server = server
    yield fay
    await fay.close()


async def invite_by_email(browser: Browser, server: RunningServer) -> None:
    """The first administrator does so, as the first thing after making their own account."""
    token = await create_first_administrator(server.app[SERVICES].storage, datetime.now(UTC))
    ada = await Person.arrive(await browser.new_context(), "Ada")
    await ada.make_account(Site(server.url).invitation(token))
    first = ada.page.get_by_test_id("first-run")
    await first.get_by_label("Email of the facilitator").fill(EMAIL)
    await first.get_by_role("button", name="Invite the facilitator").click()
    await expect(first).to_contain_text("on its way by email")
    for name in ("Administration", "Accounts"):
        await ada.page.get_by_role("link", name=name, exact=True).first.click()
        await ada.page.get_by_role("heading", level=1).wait_for()
        await is_well_made(ada.page)
    await ada.close()


async def take_invitation(fay: Fay, link: str) -> None:
    """With a password: a weak one is refused in words, and an app has to be set up."""
    page = fay.page
    await page.goto(link)
    await page.get_by_label("Your name").fill(fay.legal_name)
    await page.get_by_label("Email").fill(EMAIL)
    await page.get_by_label("With a password").check()
    password = page.get_by_label("Password", exact=True)
    await password.fill("password123")
    await page.get_by_test_id("invitation-accept").click()
    await expect(fay.problem).to_contain_text("easy to guess")
    await is_well_made(page)
    await password.fill(PASSWORD)
    await page.get_by_test_id("invitation-accept").click()

    await page.get_by_test_id("second-factor-totp").click()
    key = page.get_by_test_id("totp-secret")
    await key.wait_for()
    await is_well_made(page)
    fay.secret = (await key.inner_text()).replace(" ", "")
    await fay.give_code(fay.wrong_code(), "Confirm the app")
    await fay.problem.wait_for()
    await fay.give_code(pyotp.TOTP(fay.secret).now(), "Confirm the app")
    codes = page.get_by_test_id("recovery-codes").get_by_role("listitem")
    await expect(codes).to_have_count(10, timeout=PATIENCE_MS)
    await is_well_made(page)
    fay.recovery = await codes.all_inner_texts()
    await page.get_by_test_id("recovery-codes-kept").click()
    await page.get_by_test_id("my-groups").wait_for()
    _, me = await fay.call_api("GET", "/me")
    fay.account_id = me["id"]


async def verify_email(fay: Fay, mailbox: Mailbox) -> None:
    await fay.go_to_account()
    email = fay.page.get_by_test_id("account")
    await expect(email).to_contain_text("is not confirmed yet")
    await fay.page.goto(await mailbox.link(EMAIL, "Please confirm your email address"))
    await fay.button("Yes, confirm it").click()
    await expect(fay.page.get_by_test_id("verify-email")).to_contain_text("address is confirmed")
    await fay.go_to_account()
    await expect(email).to_contain_text("Your email address is confirmed")


async def test_password_and_app(
    browser: Browser, server: RunningServer, mailbox: Mailbox, fay: Fay
) -> None:
    await invite_by_email(browser, server)
    await take_invitation(fay, await mailbox.link(EMAIL, "An invitation for you"))
    await verify_email(fay, mailbox)

    await fay.sign_out()
    await is_well_made(fay.page)
    await fay.give_password(PASSWORD)
    await fay.give_code(fay.wrong_code(), "Sign in")
    await expect(fay.problem).to_contain_text("This code is not right")
    await fay.give_code(await fay.code(), "Sign in")
    await fay.page.get_by_test_id("my-groups").wait_for()


async def give_recovery_code(fay: Fay, code: str) -> None:
    await fay.give_password(PASSWORD)
    await fay.button("I lost it").click()
    await fay.page.get_by_label("One of your recovery codes").fill(code)
    await fay.button("Sign in").click()


async def test_a_recovery_code_works_once(fay: Fay) -> None:
    await fay.sign_out()
    await give_recovery_code(fay, fay.recovery[0])
    await fay.page.get_by_test_id("my-groups").wait_for()
    await fay.sign_out()
    await give_recovery_code(fay, fay.recovery[0])
    await expect(fay.problem).to_contain_text("was used already")
    await is_well_made(fay.page)
    await fay.button("I have my app").click()
    await fay.give_code(await fay.code(), "Sign in")
    await fay.page.get_by_test_id("my-groups").wait_for()
    await fay.go_to_account()
    await expect(fay.page.get_by_test_id("recovery")).to_contain_text("You have 9 unused codes")


async def test_an_old_proof_is_asked_for_again(fay: Fay) -> None:
    await fay.go_to_account()
    await fay.let_proof_be_old()
    card = fay.page.get_by_test_id("recovery")
    dialog = fay.page.get_by_test_id("step-up")
    await card.get_by_role("button", name="Make new codes").click()
    await card.get_by_role("button", name="Yes, make them").click()
    await dialog.wait_for()
    await is_well_made(fay.page)

    await fay.page.keyboard.press("Escape")
    await dialog.wait_for(state="detached")
    await expect(card.get_by_role("alert")).to_contain_text("show once more that it is you")
    await expect(card.get_by_test_id("recovery-codes")).to_have_count(0)
    await fay.go_to_account()
    await expect(card).to_contain_text("You have 9 unused codes")

    await card.get_by_role("button", name="Make new codes").click()
    await card.get_by_role("button", name="Yes, make them").click()
    await dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    await fay.give_code(fay.wrong_code(), "Confirm")
    await expect(dialog.get_by_role("alert")).to_contain_text("not right")
    await fay.give_code(await fay.code(), "Confirm")
    await expect(card.get_by_test_id("recovery-codes").get_by_role("listitem")).to_have_count(10)
    await dialog.wait_for(state="detached")
    await card.get_by_test_id("recovery-codes-kept").click()
    await expect(card).to_contain_text("You have 10 unused codes")
    await is_well_made(fay.page)


async def test_devices_and_automatic_logoff(browser: Browser, fay: Fay) -> None:
    """The other device is left alone, is used again, is left alone, and is signed out by hand."""
    context = await browser.new_context()
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.clock.install()

    async def sign_in_there() -> None:
        await page.goto(f"{fay.server.url}/sign-in")
        await fay.give_password(PASSWORD, page)
        await fay.give_code(await fay.code(), "Sign in", page)
        await page.get_by_test_id("my-groups").wait_for()

    await sign_in_there()
    warning = page.get_by_test_id("idle-warning")
    await page.clock.fast_forward(timedelta(minutes=14, seconds=10).seconds * 1000)
    await expect(warning).to_contain_text("you will be signed out")
    await is_well_made(page)
    await page.get_by_role("button", name="I am still here").click()
    await warning.wait_for(state="detached")
    await page.clock.fast_forward(timedelta(minutes=15, seconds=1).seconds * 1000)
    left = page.get_by_test_id("sign-in")
    await expect(left).to_contain_text("Nobody seemed to be here")
    await is_well_made(page)
    await fay.go_to_account()
    devices = fay.page.get_by_test_id("devices")
    await expect(devices).to_contain_text("You are signed in nowhere else")

    await sign_in_there()
    await fay.go_to_account()
    await expect(devices.get_by_role("listitem")).to_have_count(2)
    await is_well_made(fay.page)
    await devices.get_by_role("button", name="Sign out (").click()
    await devices.get_by_role("button", name="Sign it out").click()
    await expect(devices.get_by_role("listitem")).to_have_count(1)
    await page.get_by_role("link", name="My account").click()
    await expect(left).to_contain_text("Please sign in again to go on")
    await context.close()

    # And the server itself ends what nobody used, whatever a page does.
    await fay.change(LoginSession, last_seen_at=datetime.now(UTC) - timedelta(minutes=15))
    await fay.page.reload()
    await fay.page.get_by_test_id("sign-in-password").wait_for()


async def test_a_new_password_by_email(fay: Fay, mailbox: Mailbox) -> None:
    page = fay.page
    await page.goto(f"{fay.server.url}/sign-in")
    await page.get_by_role("link", name="Forgotten your password?").click()
    await page.get_by_label("Email").fill(EMAIL)
    await fay.button("Send me a link").click()
    await expect(page.get_by_test_id("reset-password")).to_contain_text("a link is on its way")
    await is_well_made(page)
    await page.goto(await mailbox.link(EMAIL, "A new password"))
    await page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    await is_well_made(page)
    await fay.button("Set the password").click()
    await page.get_by_test_id("reset-password").get_by_role("link", name="Sign in").click()
    await fay.give_password(PASSWORD)
    await expect(fay.problem).to_contain_text("is not right")
    await fay.give_password(NEW_PASSWORD)
    await fay.give_code(await fay.code(), "Sign in")
    await page.get_by_test_id("my-groups").wait_for()
    refusals = "Failed to load resource"
    assert [text for text in fay.complaints if not text.startswith(refusals)] == []
