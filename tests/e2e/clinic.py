"""What people of a clinic do on the pages of accounts and groups, in browsers with passkeys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.e2e.visit import Visit

PATIENCE_MS = 30_000
"""Several browser pages with video share few cores."""

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}

CALL_API = """
async ([method, path]) => {
  const headers = method === 'GET' ? {} : { 'Content-Type': 'application/json' };
  const response = await fetch('/api/v1' + path, { method, headers });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text) };
}
"""


class Person(Visit):
    """Someone at their own computer, which can make passkeys and keeps them."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        super().__init__(context, page)
        page.set_default_timeout(PATIENCE_MS)
        self.name = ""
        """By which their group knows them."""

    @classmethod
    async def arrive(cls, context: BrowserContext, name: str) -> Person:
        person = await cls.begin(context)
        assert isinstance(person, cls)
        person.name = name
        devtools = await context.new_cdp_session(person.page)
        await devtools.send("WebAuthn.enable")
        await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        return person

    @property
    def legal_name(self) -> str:
        return f"{self.name} Example"

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    async def is_told(self, code: str) -> Locator:
        """The visit has ended, or did not begin, for this reason; gives what is said about it."""
        message = self.page.locator(f"[data-testid=message][data-code={code}]")
        await message.wait_for()
        return message

    async def call_api(self, method: str, path: str) -> tuple[int, Any]:
        """Ask the server by hand, with the cookie that they have."""
        answer = await self.page.evaluate(CALL_API, [method, path])
        return answer["status"], answer["body"]

    # accounts

    async def make_account(self, link: str) -> None:
        """Take an invitation with a new account and its passkey, and keep the recovery codes."""
        await self.page.goto(link)
        await self.page.get_by_label("Your name").first.fill(self.legal_name)
        await self.page.get_by_label("Email").fill(f"{self.name.lower()}@example.org")
        known_as = self.page.get_by_label("The name that the group will see")
        if await known_as.count() > 0:
            await known_as.fill(self.name)
        await self.page.get_by_test_id("invitation-accept").click()
        codes = self.page.get_by_test_id("recovery-codes").get_by_role("listitem")
        await expect(codes).to_have_count(10, timeout=PATIENCE_MS)
        await self.page.get_by_test_id("recovery-codes-kept").click()

    async def sign_in_again(self) -> None:
        """Sign out, and in again with the passkey."""
        await self.button("Sign out").click()
        # Not offered by itself to whoever just left.
        await self.page.get_by_test_id("sign-in-passkey").click()
        await self.page.get_by_test_id("my-groups").wait_for()

    # groups, as those who guide them

    async def invite_facilitator(self) -> str:
        """As a new administrator; gives the link for whoever will guide groups."""
        first = self.page.get_by_test_id("first-run")
        await first.get_by_role("button", name="Invite the facilitator").click()
        link = self.page.get_by_test_id("invite-link").get_by_label("Link of the invitation")
        return await link.input_value()

    async def make_first_group(self, name: str) -> str:
        """From the list of one's groups, which is empty; gives its id."""
        await self.page.get_by_role("link", name="Make a group", exact=True).click()
        form = self.page.get_by_test_id("new-group")
        await form.get_by_label("Name of the group").fill(name)
        await form.get_by_label("Your name in this group").fill(self.name)
        await form.get_by_role("button", name="Make the group").click()
        await self.page.get_by_test_id("group").get_by_role("heading", name=name).wait_for()
        return self.page.url.rpartition("/")[2]

    async def go_to(self, title: str) -> None:
        """Another page of the same group."""
        pages = self.page.get_by_role("navigation", name="Pages of this group")
        await pages.get_by_role("link", name=title, exact=True).click()
        current = pages.locator("[aria-current=page]", has_text=title)
        await current.wait_for()

    async def plan_session(self, after: timedelta) -> None:
        """One session, some time from now, by the clock of the group; its first."""
        steps = self.page.get_by_test_id("first-steps")
        await steps.get_by_role("link", name="Plan when the group meets").click()
        zone = ZoneInfo(await self.page.get_by_label("Time zone").input_value())
        start = datetime.now(zone) + after
        await self.page.get_by_label("First session").fill(start.strftime("%Y-%m-%dT%H:%M"))
        await self.page.get_by_label("Repeats").select_option("once")
        await self.button("Add").click()
        await self.button("Add a schedule").wait_for()

    async def invite_people(self, count: int) -> list[str]:
        """Single-use links into the group, in which nobody else is yet."""
        await self.go_to("Overview")
        steps = self.page.get_by_test_id("first-steps")
        await steps.get_by_role("link", name="Invite the people who take part").click()
        card = self.page.get_by_test_id("invite")
        field = card.get_by_label("The link, shown only this once")
        links: list[str] = []
        for _ in range(count):
            await card.get_by_role("button", name="Make a link").click()
            before = links[-1] if links else ""
            await expect(field).not_to_have_value(before, timeout=PATIENCE_MS)
            links.append(await field.input_value())
        return links

    async def look_at_attendance(self) -> dict[str, str]:
        """What the page says of each."""
        await self.go_to("Attendance")
        await self.button("Show").click()
        rows = self.page.get_by_role("table").locator("tbody tr")
        await rows.first.wait_for()
        return {
            await row.get_by_role("rowheader").inner_text(): await row.get_by_role("cell")
            .nth(1)
            .inner_text()
            for row in await rows.all()
        }

    # sessions

    async def open_session(self, address: str | None = None) -> str:
        """Its page, by the join button of one's groups or at its address; gives the address."""
        if address is None:
            await self.page.goto(f"{self.page.url.partition('/groups')[0]}/groups")
            await self.page.get_by_test_id("join").click()
        else:
            await self.page.goto(address)
        await self.page.get_by_test_id("session").get_by_role("heading").first.wait_for()
        return self.page.url

    @property
    def to_sign(self) -> Locator:
        return self.button("Read and sign: ")

    async def sign_everything(self) -> int:
        """Read and sign what there is, one text after the other; gives how many there were."""
        await self.to_sign.first.wait_for()
        count = await self.to_sign.count()
        await self.to_sign.first.click()
        for left in reversed(range(count)):
            await self.page.get_by_test_id("typed-name").fill(self.legal_name)
            await self.button("I agree and sign").click()
            await expect(self.to_sign).to_have_count(left, timeout=PATIENCE_MS)
        return count

    async def confirm_place(self) -> None:
        form = self.page.get_by_test_id("confirmation")
        await form.locator("[name=location]").fill("12 Quiet Lane, Exampleton")
        await form.locator("[name=phone]").fill("+1 555 0100")
        await form.locator("[name=contact_name]").fill(f"{self.name}'s sister")
        await form.locator("[name=contact_phone]").fill("+1 555 0101")
        await form.get_by_role("checkbox").check()
        await form.get_by_role("button", name="Confirm for this session").click()
        await self.page.get_by_text("You have confirmed where you are").wait_for()

    async def go_in(self) -> None:
        """From the session's page through the lobby, under the name that the group knows."""
        await self.page.get_by_test_id("go-in").click()
        await expect(self.page.get_by_test_id("given-name")).to_contain_text(
            self.name, timeout=PATIENCE_MS
        )
        await self.page.get_by_role("button", name="Join", exact=True).click()

    async def wait_at_the_door(self) -> None:
        await self.go_in()
        await self.page.get_by_test_id("waiting").wait_for()

    async def is_in_the_room(self) -> None:
        await self.page.get_by_test_id("room").wait_for()

    # in the room, as those who guide

    def waiting(self, name: str) -> Locator:
        return self.page.locator(f"[data-testid=waiting-person][data-name='{name}']")

    async def admit(self, name: str) -> None:
        await self.waiting(name).get_by_test_id("admit").click()
        await self.waiting(name).wait_for(state="detached")

    async def turn_away(self, name: str, words: str) -> None:
        person = self.waiting(name)
        await person.get_by_test_id("turn-away").click()
        await person.get_by_label("In your own words").check()
        await person.get_by_label("Your words").fill(words)
        await person.get_by_test_id("turn-away-send").click()
        await person.wait_for(state="detached")

    async def open_console(self) -> None:
        await self.button("Console").first.click()
        await self.page.get_by_test_id("console").wait_for()

    def row(self, name: str) -> Locator:
        return self.page.get_by_test_id("person-row").filter(has_text=name)

    async def look_up_place(self, name: str) -> str:
        """Where someone is, as they confirmed before the session."""
        await self.row(name).get_by_test_id("where").click()
        place = await self.page.get_by_test_id("location").inner_text()
        await self.page.keyboard.press("Escape")
        return place

    async def keep_out(self, name: str) -> None:
        await self.row(name).get_by_test_id("remove-person").click()
        await self.row(name).get_by_test_id("remove-and-keep-out").click()
        await self.tile(name).wait_for(state="detached")
