"""People who come to one session of a group from outside: a guest by a link, on a phone and by
keyboard alone, and a member of another group who makes up a session; and the calendar's address.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect
from sqlalchemy import update

from server.accounts.invitations import create_first_administrator
from server.accounts.links import Site
from server.app import SERVICES, RunningServer, running
from server.storage.models import LoginSession
from tests.e2e.axe import PHONE, is_well_made, serious_issues
from tests.e2e.clinic import PATIENCE_MS, Person
from tests.loopback import on_loopback

pytestmark = pytest.mark.asyncio(loop_scope="session")

GROUP = "Tuesday circle"
HOME = "Friday circle"


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningServer]:
    settings = on_loopback(tmp_path_factory.mktemp("guests"), host="localhost")
    async with running(settings) as running_server:
        yield running_server


@pytest_asyncio.fixture(loop_scope="session")
async def people(browser: Browser) -> AsyncIterator[list[Person]]:
    """Who guides both groups, who is in one of them, and a stranger with a phone."""
    people = [
        await Person.arrive(await browser.new_context(**options), name)
        for name, options in (("Fay", {}), ("Mia", {}), ("Gil", {"viewport": PHONE}))
    ]
    yield people
    for person in people:
        await person.close()


async def change_logins(server: RunningServer, **values: Any) -> None:
    async with server.app[SERVICES].storage.transaction() as session:
        await session.execute(update(LoginSession).values(**values))


async def become_facilitator(fay: Person, server: RunningServer) -> None:
    """The first administrator lets herself make groups."""
    token = await create_first_administrator(server.app[SERVICES].storage, datetime.now(UTC))
    await fay.make_account(Site(server.url).invitation(token))
    first = fay.page.get_by_test_id("first-run")
    await first.get_by_role("link", name="accounts").click()
    await fay.button("Let them make groups").click()
    await fay.button("Make them a facilitator").click()
    await fay.button("No more new groups").first.wait_for()
    await fay.page.get_by_role("link", name="My groups").click()


async def make_group(fay: Person, link: str, name: str, own_name: str, *switches: str) -> str:
    await fay.page.get_by_role("link", name=link, exact=True).click()
    form = fay.page.get_by_test_id("new-group")
    await form.get_by_label("Name of the group").fill(name)
    await form.get_by_label("Your name in this group").fill(own_name)
    for switch in switches:
        await form.get_by_label(switch).check()
    await form.get_by_role("button", name="Make the group").click()
    await fay.page.get_by_test_id("group").get_by_role("heading", name=name).wait_for()
    return fay.page.url


async def open_next_session(person: Person, group: str) -> str:
    await person.page.goto(group)
    sessions = person.page.get_by_role("region", name="Next sessions")
    await sessions.get_by_role("link").first.click()
    await person.page.get_by_test_id("session").get_by_role("heading").first.wait_for()
    return person.page.url


async def come_to_the_other_group(mia: Person) -> None:
    """She cannot come to her own session, says so in one click, and chooses another one."""
    card = mia.page.get_by_test_id("absence")
    await mia.to_sign.first.wait_for()
    await card.get_by_test_id("absent").click()
    await expect(card).to_contain_text("Thank you for letting us know")
    await expect(mia.to_sign).to_have_count(0)  # nothing to do for it any more
    await card.get_by_role("button", name="Look for another session instead").click()
    await card.get_by_role("button", name=f"Come to this one instead ({GROUP}").click()
    await expect(card).to_contain_text("You come on")
    await is_well_made(mia.page)
    await card.get_by_role("link", name="My groups").click()
    there = mia.page.get_by_test_id("my-groups").get_by_role("listitem").filter(has_text=GROUP)
    await expect(there).to_contain_text("You make up a session of yours in this group")
    await is_well_made(mia.page)
    await there.get_by_role("link", name="Join").click()
    # There is someone of her own name in that group.
    mia.name = "Fay (visiting)"
    await expect(mia.page.get_by_test_id("session")).to_contain_text(
        "You come in as Fay (visiting)"
    )
    assert await mia.sign_everything() == 3
    await mia.confirm_place()
    await is_well_made(mia.page)
    await mia.wait_at_the_door()


async def make_guest_link(fay: Person) -> str:
    card = fay.page.get_by_test_id("guest-links")
    await card.get_by_role("button", name="Make a guest link").click()
    link = await card.get_by_label("The link, shown only this once").input_value()
    await expect(card).to_contain_text("used by 0 guests")
    return link


async def tab_to(person: Person, target: Locator) -> None:
    await target.wait_for()
    for _ in range(40):
        if await target.evaluate("one => one === document.activeElement"):
            return
        await person.page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached by keyboard")


async def press(person: Person, target: Locator) -> None:
    await tab_to(person, target)
    await person.page.keyboard.press("Enter")


async def fill(person: Person, target: Locator, text: str) -> None:
    await tab_to(person, target)
    await person.page.keyboard.type(text)


async def fits_the_phone(person: Person) -> None:
    assert await serious_issues(person.page) == []
    width = await person.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]


async def come_as_guest(gil: Person, link: str) -> None:
    """By keyboard alone, on a small screen, to the waiting room."""
    page = gil.page
    await page.goto(link)
    guest = page.get_by_test_id("guest")
    await expect(guest).to_contain_text("You are invited to one session")
    await fits_the_phone(gil)
    name = page.get_by_label("Your name here")
    await fill(gil, name, "Fay")
    await page.keyboard.press("Enter")
    await expect(guest.get_by_role("alert").filter(visible=True)).to_contain_text("already")
    await name.press("Control+a")
    await fill(gil, name, gil.name)
    await page.keyboard.press("Enter")

    await gil.to_sign.first.wait_for()
    await fits_the_phone(gil)
    count = await gil.to_sign.count()
    await press(gil, gil.to_sign.first)
    for left in reversed(range(count)):
        await fill(gil, page.get_by_test_id("typed-name"), gil.legal_name)
        await page.keyboard.press("Enter")
        await expect(gil.to_sign).to_have_count(left, timeout=PATIENCE_MS)
    form = page.get_by_test_id("confirmation")
    for field, text in (
        ("location", "12 Quiet Lane, Exampleton"),
        ("phone", "+1 555 0100"),
        ("contact_name", "A neighbour"),
        ("contact_phone", "+1 555 0101"),
    ):
        await fill(gil, form.locator(f"[name={field}]"), text)
    await tab_to(gil, form.get_by_role("checkbox"))
    await page.keyboard.press("Space")
    await press(gil, form.get_by_role("button", name="Confirm for this session"))
    await press(gil, page.get_by_test_id("go-in"))
    await page.get_by_test_id("given-name").wait_for()
    await fits_the_phone(gil)
    await press(gil, page.get_by_role("button", name="Join", exact=True))
    await page.get_by_test_id("waiting").wait_for()
    await press(gil, gil.button("Turn camera off"))
    await gil.button("Turn camera on").wait_for()
    await fits_the_phone(gil)
    await expect(gil.button("Leave")).to_be_in_viewport(ratio=1)


async def is_not_logged_off_in_a_room(fay: Person, server: RunningServer) -> None:
    """By the server, whatever it last noted; and the account's other tabs ask it."""
    await change_logins(server, last_seen_at=datetime.now(UTC) - timedelta(minutes=16))
    status, _ = await fay.call_api("GET", "/me")
    assert status == 200


async def cannot_come_back(gil: Person, link: str, server: RunningServer) -> None:
    await gil.is_told("kept_out")
    await fits_the_phone(gil)
    await gil.page.goto(f"{server.url}/guest")
    guest = gil.page.get_by_test_id("guest")
    await expect(guest).to_contain_text("not expected in this session any more")
    assert await gil.page.get_by_test_id("go-in").count() == 0
    await gil.page.goto(f"{server.url}/retention")
    await gil.page.goto(link)
    await expect(guest).to_contain_text("This link does not work any more")
    assert await gil.page.get_by_label("Your name here").count() == 0
    await fits_the_phone(gil)


async def look_at_attendance(fay: Person, server: RunningServer, group: str) -> set[str]:
    """Which asks for a fresh proof, and then goes on by itself; gives who was there."""
    await change_logins(server, stepped_up_at=datetime.now(UTC) - timedelta(minutes=11))
    await fay.page.goto(group)
    await fay.go_to("Attendance")
    dialog = fay.page.get_by_test_id("step-up")
    await fay.button("Show").click()
    await dialog.get_by_role("button", name="Close").click()
    await expect(fay.page.get_by_test_id("attendance").get_by_role("alert")).to_contain_text(
        "show once more that it is you"
    )
    assert await fay.page.get_by_role("table").count() == 0
    await fay.button("Show").click()
    await dialog.get_by_test_id("step-up-passkey").click()
    rows = fay.page.get_by_role("table").locator("tbody tr").filter(has_text="Was there")
    await rows.first.wait_for()
    await is_well_made(fay.page)
    async with fay.page.expect_download() as started:
        await fay.button("Save as a table").click()
    file = await (await started.value).path()
    assert "Fay (visiting)" in file.read_text("utf-8-sig")
    return set(await rows.get_by_role("rowheader").all_inner_texts())


async def subscribe(person: Person, server: RunningServer) -> None:
    """Make the calendar's secret address, fetch it as a calendar does, and take it back."""
    await person.page.goto(f"{server.url}/groups")
    card = person.page.get_by_role("region", name="In your calendar")
    await card.get_by_role("button", name="Make an address").click()
    address = await card.get_by_label("The secret address").input_value()
    await is_well_made(person.page)
    answer = await person.context.request.get(address)
    text = await answer.text()
    assert answer.headers["content-type"].startswith("text/calendar")
    assert text.count("BEGIN:VEVENT") == 2
    assert "circle" not in text
    await card.get_by_role("button", name="Remove it").click()
    await card.get_by_role("button", name="Yes, remove it").click()
    await card.get_by_role("button", name="Make an address").wait_for()
    assert (await person.context.request.get(address)).status == 404


async def test_from_outside(server: RunningServer, people: list[Person]) -> None:
    fay, mia, gil = people
    await become_facilitator(fay, server)
    home = await make_group(fay, "Make a group", HOME, "Robin")
    await fay.plan_session(timedelta(days=1))
    [invitation] = await fay.invite_people(1)
    await fay.page.goto(f"{server.url}/groups")
    group = await make_group(
        fay,
        "Make a new group",
        GROUP,
        "Fay",
        "Guests may come to a session by a link",
        "People of other groups may make up a missed session here",
    )
    await fay.plan_session(timedelta(minutes=8))

    await mia.make_account(invitation)
    await mia.page.get_by_test_id("my-groups").wait_for()
    await mia.page.goto(home)
    await mia.page.get_by_label("Your name here").fill("Fay")
    await mia.button("Save").click()
    await expect(mia.page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    await is_well_made(mia.page)
    await open_next_session(mia, home)
    await come_to_the_other_group(mia)

    session = await open_next_session(fay, group)
    assert await fay.sign_everything() == 2
    expected = fay.page.get_by_test_id("expected").get_by_role("listitem")
    await expect(expected.filter(has_text="Fay (visiting)")).to_contain_text("from another group")
    link = await make_guest_link(fay)
    await come_as_guest(gil, link)
    await fay.button("Look again").click()
    await expect(expected.filter(has_text="Gil")).to_contain_text("guest")
    await is_well_made(fay.page)

    await fay.go_in()
    await fay.is_in_the_room()
    await expect(fay.waiting(gil.name)).to_contain_text("Guest")
    await expect(fay.waiting(mia.name)).to_contain_text("From another group")
    await fay.admit(gil.name)
    await fay.admit(mia.name)
    for person in people:
        await person.is_in_the_room()
        await person.sees(3)
    epoch = max([await person.secured() for person in people])
    for person in people:
        await person.secured(epoch)
    await fits_the_phone(gil)
    await is_not_logged_off_in_a_room(fay, server)

    await fay.button("Leave").click()
    await fay.page.goto(session)
    links = fay.page.get_by_test_id("guest-links")
    await expect(links).to_contain_text("used by 1 guest")
    await links.get_by_role("button", name="Take back").click()
    await expect(links).to_contain_text("whoever came by it is taken out of the session")
    await links.get_by_role("button", name="Yes, take it back").click()
    await expect(links).not_to_contain_text("used by")
    await cannot_come_back(gil, link, server)

    assert await look_at_attendance(fay, server, group) == {"Fay", "Fay (visiting)", "Gil"}
    await subscribe(fay, server)
    refusals = "Failed to load resource"
    for person in people:
        assert [text for text in person.complaints if not text.startswith(refusals)] == []
