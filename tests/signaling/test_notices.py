from __future__ import annotations

from moderation.alerts import AlertBook
from moderation.formats import AlertRules
from moderation.notices import AlertNotice
from signaling import messages as m
from signaling.notices import KeyOf, notice_of


def no_key(_: str) -> None:
    """As in a room with links."""


def test_a_name_that_looks_like_a_placeholder_stays_as_it_is() -> None:
    book = AlertBook()
    evidence: dict[str, str | int | float | bool | None] = {
        "victim": "ben",
        "what": "{challenger} talked over {victim}.",
    }
    book.report("repeated_interruptions", "attention", "ada", evidence, 0.0, AlertRules())
    names = {"ada": "{victim}", "ben": "{challenger}"}
    alert = notice_of(AlertNotice("raised", book.alerts[0].view()), 0.0, names.__getitem__, no_key)
    assert isinstance(alert, m.Alert)
    assert alert.evidence["what"] == "{victim} talked over {challenger}."


def test_an_alert_names_whom_it_is_about_as_the_api_does() -> None:
    book = AlertBook()
    book.report("help_asked", "urgent", "ada", {}, 0.0, AlertRules())
    book.report("nobody_facilitating", "urgent", None, {}, 0.0, AlertRules())

    def told(key_of: KeyOf) -> list[str | None]:
        alerts = [
            notice_of(AlertNotice("raised", one.view()), 0.0, str.title, key_of)
            for one in book.alerts
        ]
        return [one.about_person for one in alerts if isinstance(one, m.Alert)]

    assert told({"ada": "membership-of-ada"}.get) == ["membership-of-ada", None]
    assert told(no_key) == [None, None]
