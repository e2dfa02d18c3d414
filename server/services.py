"""What the API works with, open as long as the server runs: database, keys, audit, email."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from server.accounts.mail import Letter, Mailer, SmtpSettings
from server.accounts.services import AccountServices
from server.api.account_wire import SERVICES as ACCOUNTS
from server.api.routes import Services
from server.audit.anchor import FILE_NAME as ANCHOR_FILE
from server.audit.anchor import Anchor, keep_anchored
from server.audit.record import SYSTEM
from server.groups import attendance, documents, reminders
from server.groups.act import Act
from server.groups.templates import load_templates, shipped_guidelines
from server.settings import Settings, SettingsError
from server.storage.database import open_storage
from server.storage.errors import KeyRingError, StorageError
from server.storage.keyring import KeyRing, create_keyring_file, load_keyring
from server.storage.retention import enforce
from server.tasks import Tasks

log = structlog.get_logger(__name__)

ANCHOR_EVERY_S = 5.0
REMIND_EVERY_S = 300.0
RETENTION_EVERY_S = 86_400.0


def keyring_of(settings: Settings) -> KeyRing:
    """The key ring that the settings name.

    Without a public_url, as for trying out on one machine, one is made in data_dir.

    Raises:
        SettingsError: if there is none, or it is not valid.
    """
    given = settings.keyring
    path = settings.keyring_file
    try:
        if path is None and given is None:
            if settings.public_url is not None:
                raise SettingsError(
                    "There is no key ring (settings keyring_file and keyring): make one with "
                    "`holdspace keys new`, keep a copy of it apart from the database, and name it."
                )
            path = settings.data_dir / "keyring"
            if not path.exists():
                settings.data_dir.mkdir(parents=True, exist_ok=True)
                create_keyring_file(path)
        return load_keyring(file=path, text=None if given is None else given.get_secret_value())
    except KeyRingError as error:
        raise SettingsError(str(error)) from None


@asynccontextmanager
async def open_services(settings: Settings, accounts: AccountServices) -> AsyncIterator[Services]:
    """Open everything, bring it up to date, and keep it so until the end.

    Raises:
        SettingsError: if the database, the key ring or the mail server's settings are of no use.
    """
    keyring = keyring_of(settings)
    url = settings.database_url
    async with AsyncExitStack() as stack:
        try:
            storage = await stack.enter_async_context(
                open_storage(None if url is None else url.get_secret_value(), settings.data_dir)
            )
        except StorageError as error:
            raise SettingsError(str(error)) from None
        mailer: Mailer | None = None
        if (smtp := _smtp(settings)) is not None:
            mailer = await stack.enter_async_context(Mailer(smtp))
        anchor = Anchor(settings.data_dir / ANCHOR_FILE, keyring)
        services = Services(storage, keyring, settings, mailer, anchor, more={ACCOUNTS: accounts})
        now = datetime.now(UTC)
        async with storage.transaction() as session:
            await documents.load_defaults(
                session, Act(SYSTEM, now), load_templates(shipped_guidelines())
            )
            await attendance.close_open(session, now)
        tasks = Tasks()
        stack.push_async_callback(tasks.close)
        tasks.start(keep_anchored(storage, anchor, ANCHOR_EVERY_S), "audit anchor")
        tasks.start(_keep_retention(services), "retention")
        if mailer is not None:
            tasks.start(_remind(services, mailer), "reminders")
        yield services


def _smtp(settings: Settings) -> SmtpSettings | None:
    if settings.smtp_host is None:
        return None
    if settings.smtp_from is None:
        raise SettingsError("The setting smtp_host needs smtp_from: whom emails come from.")
    password = settings.smtp_password
    return SmtpSettings(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_from,
        settings.smtp_user,
        None if password is None else password.get_secret_value(),
        settings.smtp_tls,
    )


async def _keep_retention(services: Services) -> None:
    periods = services.settings.retention
    while True:
        try:
            await enforce(services.storage, periods, datetime.now(UTC))
        except (StorageError, SQLAlchemyError, TimeoutError):
            log.exception("retention_failed")
        await asyncio.sleep(RETENTION_EVERY_S)


async def _remind(services: Services, mailer: Mailer) -> None:
    async def send(to: str, subject: str, text: str) -> None:
        mailer.send(Letter(to, subject, text))

    while True:
        try:
            await reminders.send_due(services.storage, services.keyring, send, datetime.now(UTC))
        except (StorageError, SQLAlchemyError, TimeoutError):
            log.exception("reminders_failed")
        await asyncio.sleep(REMIND_EVERY_S)
