"""Links by email, sent to a real SMTP server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from server.accounts import correspondence, invitations, one_time_links
from server.accounts.email_address import email_address
from server.accounts.invitations import Terms
from server.accounts.mail import Letter, Mailer, SmtpSettings
from server.refusals import Refused
from server.storage.blind_index import blind_index
from server.storage.models import Account
from tests.accounts.mailbox import WAIT_S, Mailbox, receiving
from tests.accounts.place import EMAIL, NOW, PASSWORD, SITE, Place, later


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
async def mailer(mailbox: Mailbox) -> AsyncIterator[Mailer]:
    async with receiving(mailbox) as port:
        smtp = SmtpSettings("127.0.0.1", port, "holdspace@example.org", tls="none")
        async with Mailer(smtp, retry_after_s=(0.01, 0.01)) as opened:
            yield opened


async def verify(place: Place, mailer: Mailer, mailbox: Mailbox, account_id: str) -> None:
    count = len(mailbox.letters)
    await correspondence.send_verification(
        place.storage, place.keyring, mailer, place.act(account_id), SITE, account_id
    )
    await mailbox.wait_for(count + 1)
    await correspondence.verify_email(
        place.storage, place.keyring, mailer, place.act(), mailbox.token()
    )


async def test_an_invitation_is_emailed(place: Place, mailer: Mailer, mailbox: Mailbox) -> None:
    person, group = await place.person(), await place.group()
    await place.guides(group, person.id)
    terms = Terms(group, "participant")
    made = await invitations.invite(
        place.storage, place.keyring, mailer, place.act(person.id), SITE, terms, "new@example.org"
    )
    assert made.link is None
    await mailbox.wait_for(1)
    recipients, message = mailbox.letters[0]
    assert recipients == ["new@example.org"]
    assert "Tuesday" not in str(message)  # mailboxes are shared
    await place.newcomer(mailbox.token(), "new@example.org", "Robin")


async def test_an_email_is_verified_once(place: Place, mailer: Mailer, mailbox: Mailbox) -> None:
    person = await place.person()
    await verify(place, mailer, mailbox, person.id)
    async with place.storage.snapshot() as session:
        assert (await session.get_one(Account, person.id)).email_verified_at == NOW
    with pytest.raises(Refused, match="link_ended"):
        await correspondence.verify_email(
            place.storage, place.keyring, mailer, place.act(), mailbox.token()
        )


async def test_a_new_email_counts_when_its_link_is_opened(
    place: Place, mailer: Mailer, mailbox: Mailbox
) -> None:
    person = await place.person()
    await verify(place, mailer, mailbox, person.id)
    args = (place.services, place.storage, place.keyring, mailer, place.act(person.id), SITE)
    await correspondence.propose_email(*args, person.id, "new@example.org")
    await mailbox.wait_for(2)
    assert mailbox.letters[-1][0] == ["new@example.org"]
    await place.password(EMAIL)  # still the one
    await correspondence.verify_email(
        place.storage, place.keyring, mailer, place.act(), mailbox.token()
    )
    await place.password("new@example.org")
    with pytest.raises(Refused, match="wrong_credentials"):
        await place.password(EMAIL)
    await mailbox.wait_for(3)
    assert mailbox.letters[-1][0] == [EMAIL]  # the earlier one is told


async def test_only_its_owner_learns_that_an_email_is_taken(
    place: Place, mailer: Mailer, mailbox: Mailbox
) -> None:
    await place.person("taken@example.org")
    person = await place.person()
    args = (place.services, place.storage, place.keyring, mailer, place.act(person.id), SITE)
    await correspondence.propose_email(*args, person.id, "TAKEN@example.org")
    await mailbox.wait_for(1)
    assert mailbox.letters[0][0] == ["taken@example.org"]
    assert "#" not in mailbox.text()


async def test_a_changed_link_changes_nothing(
    place: Place, mailer: Mailer, mailbox: Mailbox
) -> None:
    person = await place.person()
    args = (place.services, place.storage, place.keyring, mailer, place.act(person.id), SITE)
    await correspondence.propose_email(*args, person.id, "new@example.org")
    await mailbox.wait_for(1)
    token = mailbox.token()
    for wrong in (token.partition(".")[0], token[:-4] + "AAAA", token + "A"):
        with pytest.raises(Refused, match="link_ended"):
            await correspondence.verify_email(
                place.storage, place.keyring, mailer, place.act(), wrong
            )
    with pytest.raises(Refused, match="link_ended"):
        await correspondence.verify_email(
            place.storage, place.keyring, mailer, place.act(now=later(hours=24)), token
        )


async def ask(place: Place, mailer: Mailer | None, email: str) -> None:
    await correspondence.ask_for_password(
        place.services, place.storage, place.keyring, mailer, place.act(), SITE, email
    )


async def test_a_new_password_by_email_signs_out_everywhere_and_keeps_the_second_factor(
    place: Place, mailer: Mailer, mailbox: Mailbox
) -> None:
    person = await place.person()
    await verify(place, mailer, mailbox, person.id)
    who_token = (await place.password())[0]
    await ask(place, mailer, EMAIL.upper())
    await mailbox.wait_for(2)
    assert mailbox.letters[-1][0] == [EMAIL]
    args = (place.services, place.storage, place.keyring, place.act(), mailbox.token())
    with pytest.raises(Refused, match="password_weak"):
        await correspondence.reset_password(*args, "password")
    new = "a quite different phrase"
    await correspondence.reset_password(*args, new)
    with pytest.raises(Refused, match="link_ended"):
        await correspondence.reset_password(*args, new)
    with pytest.raises(Refused, match="wrong_credentials"):
        await place.password(password=PASSWORD)
    now = later(minutes=1)
    with pytest.raises(Refused, match="ticket_ended"):
        await place.code(who_token, person.code(now), now)
    _, steps = await place.password(password=new)
    assert steps == ("totp",)


async def test_asking_for_a_password_never_tells_whether_there_is_an_account(
    place: Place, mailer: Mailer, mailbox: Mailbox
) -> None:
    person = await place.person()
    await ask(place, mailer, EMAIL)  # not verified: nobody knows whose it is
    await ask(place, mailer, "nobody@example.org")
    assert await place.links() == 0
    await verify(place, mailer, mailbox, person.id)
    for _ in range(10):
        await ask(place, mailer, EMAIL)
    await asyncio.sleep(0.2)
    assert len(mailbox.letters) <= 1 + 4  # nobody's mailbox is flooded
    assert len(await place.audited("account.password_link_asked")) <= 6


async def test_a_password_link_expires(place: Place) -> None:
    person = await place.person()
    link = await correspondence.password_link(
        place.storage, place.keyring, None, place.act("admin"), SITE, person.id
    )
    assert link is not None
    token = link.partition("#")[2]
    now = NOW + one_time_links.LIFETIMES["reset_password"]
    with pytest.raises(Refused, match="link_ended"):
        await correspondence.reset_password(
            place.services, place.storage, place.keyring, place.act(now=now), token, PASSWORD
        )


async def test_a_letter_is_tried_again_but_not_for_ever(
    mailer: Mailer, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.answers = ["451 later", "451 later"]
    mailer.send(Letter("a@example.org", "First", "Hello"))
    await mailbox.wait_for(1)
    mailbox.answers = ["550 no", "451 later", "451 later", "451 later"]
    mailer.send(Letter("b@example.org", "Refused", "Hello"))
    await asyncio.sleep(0.2)
    mailer.send(Letter("c@example.org", "Given up", "Hello"))
    async with asyncio.timeout(WAIT_S):
        while mailbox.answers:
            await asyncio.sleep(0.01)
    mailer.send(Letter("d@example.org", "Last", "Hello"))
    await mailbox.wait_for(2)
    subjects = [message["Subject"] for _, message in mailbox.letters]
    assert subjects == ["First", "Last"]
    assert "@example.org" not in caplog.text


async def test_nobody_smuggles_headers_or_recipients(mailer: Mailer, mailbox: Mailbox) -> None:
    for hostile in ("a@example.org\nBcc: x@example.org", "a@example.org, b@example.org"):
        with pytest.raises(Refused, match="email_invalid"):
            email_address(hostile)
        mailer.send(Letter(hostile, "Hello", "Hello"))
    mailer.send(Letter("ok@example.org", "Hello", "Hello"))
    await mailbox.wait_for(1)
    assert [to for to, _ in mailbox.letters] == [["ok@example.org"]]


async def test_a_mail_server_that_is_away_stops_nothing() -> None:
    smtp = SmtpSettings("127.0.0.1", 9, "holdspace@example.org", tls="none")
    async with Mailer(smtp, retry_after_s=(60,)) as mailer:
        mailer.send(Letter("a@example.org", "Hello", "Hello"))
        await asyncio.sleep(0.1)


async def test_an_email_is_found_under_all_keys_and_no_other(place: Place) -> None:
    await place.person()
    async with place.storage.snapshot() as session:
        account = (await session.scalars(select(Account))).one()
    assert account.email_index == blind_index(place.keyring, " ADA@example.ORG")


@pytest.mark.parametrize(
    "text", ["", "ada", "ada@", "@example.org", "ada@example", "a b@example.org", "a@b..org"]
)
def test_what_is_no_email_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="email_invalid"):
        email_address(text)
