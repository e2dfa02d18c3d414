"""What the emails say. Mailboxes can be shared: none names a group or what it is about."""

from __future__ import annotations

from server.accounts.mail import Letter

_IGNORE = "If you did not expect this, you can simply delete this email; nothing will happen."
_SIGNED = "Warm regards\nHoldspace"


def _letter(to: str, subject: str, *paragraphs: str) -> Letter:
    return Letter(to, subject, "\n\n".join(["Hello,", *paragraphs, _SIGNED]) + "\n")


def invitation(to: str, link: str, days: int) -> Letter:
    return _letter(
        to,
        "An invitation for you",
        "you have been invited to Holdspace. With this link you can come in; take your time, it "
        f"works once, within {days} days:",
        link,
        _IGNORE,
    )


def verify_email(to: str, link: str) -> Letter:
    return _letter(
        to,
        "Please confirm your email address",
        "with this link you confirm that this is your email address. It works once, within a day:",
        link,
        _IGNORE,
    )


def email_in_use(to: str) -> Letter:
    return _letter(
        to,
        "Your email address",
        "someone wanted to use this email address for another account. You have an account with "
        "it already, and nothing was changed. If it was you, please sign in as before.",
    )


def reset_password(to: str, link: str) -> Letter:
    return _letter(
        to,
        "A new password",
        "with this link you can choose a new password. It works once, within 30 minutes:",
        link,
        "To sign in you will also need your authenticator app, a passkey or a recovery code, as "
        "before.",
        _IGNORE,
    )


def security_notice(to: str, what: str) -> Letter:
    """Tell of a change to how someone signs in (OWASP ASVS 5, 6.3.7)."""
    return _letter(
        to,
        "A change to your account",
        f"{what}",
        "If that was you, all is well. If not, please sign in, look at your devices and ways to "
        "sign in, and tell whoever invited you.",
    )
