from __future__ import annotations

from moderation.alerts import AlertBook
from moderation.formats import AlertRules
from moderation.notices import AlertNotice
from signaling import messages as m
from signaling.notices import notice_of


def test_a_name_that_looks_like_a_placeholder_stays_as_it_is() -> None:
    book = AlertBook()
    evidence: dict[str, str | int | float | bool | None] = {
        "victim": "ben",
        "what": "{challenger} talked over {victim}.",
    }
    book.report("repeated_interruptions", "attention", "ada", evidence, 0.0, AlertRules())
    names = {"ada": "{victim}", "ben": "{challenger}"}
    alert = notice_of(AlertNotice("raised", book.alerts[0].view()), 0.0, names.__getitem__)
    assert isinstance(alert, m.Alert)
    assert alert.evidence["what"] == "{victim} talked over {challenger}."
