"""The book of alerts: raised, merged, held back, risen again, acknowledged.

A facilitator must not drown and must not miss a cry for help. So the same cause about the same
person is one alert for as long as nobody acknowledged it; its changes are gathered; alerts that
are not urgent wait their turn when many come at once; and an urgent one is never held back, and
rises again until someone acknowledges it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from moderation.formats import AlertRules
from moderation.notices import AlertKind, AlertView, Scalar, Severity
from moderation.words import ALERTS

Change = Literal["raised", "changed", "acknowledged", "rose_again", "withdrawn"]

WEIGHT: dict[Severity, int] = {"info": 0, "attention": 1, "urgent": 2}

KEPT = 100
"""Settled alerts beyond this number are forgotten, oldest first: the audit log keeps them."""


@dataclass(slots=True)
class Alert:
    """One alert; times in s."""

    id: int
    kind: AlertKind
    severity: Severity
    about: str | None
    evidence: dict[str, Scalar]
    raised_at: float
    changed_at: float
    count: int = 1
    rises: int = 0
    rises_at: float | None = None
    """When it rises again if nobody acknowledges it; None while it is not urgent."""
    shown: Severity | None = None
    """The severity facilitators know of; None: not shown yet."""
    shown_at: float = 0.0
    changed: bool = False
    """Something is new since it was last shown."""
    acknowledged_by: str | None = None
    acknowledged_at: float | None = None
    withdrawn: bool = False

    @property
    def is_open(self) -> bool:
        return self.acknowledged_at is None and not self.withdrawn

    def view(self) -> AlertView:
        return AlertView(
            id=self.id,
            kind=self.kind,
            severity=self.severity,
            about=self.about,
            text=ALERTS[self.kind],
            evidence=dict(self.evidence),
            count=self.count,
            raised_at=self.raised_at,
            changed_at=self.changed_at,
            rises=self.rises,
            acknowledged_by=self.acknowledged_by,
            acknowledged_at=self.acknowledged_at,
        )


@dataclass(slots=True)
class AlertBook:
    """All alerts of a session."""

    alerts: list[Alert] = field(default_factory=list)
    last_id: int = 0
    shown_at: list[float] = field(default_factory=list)
    """When the last alerts that are not urgent were shown, within a minute, in s."""

    def open(self) -> list[Alert]:
        return [alert for alert in self.alerts if alert.is_open]

    def find(self, alert_id: int) -> Alert | None:
        return next((alert for alert in self.alerts if alert.id == alert_id), None)

    def report(
        self,
        kind: AlertKind,
        severity: Severity,
        about: str | None,
        evidence: dict[str, Scalar],
        now: float,
        rules: AlertRules,
    ) -> None:
        """A cause came: open an alert or add to the open one."""
        for alert in reversed(self.alerts):
            if alert.kind != kind or alert.about != about or alert.withdrawn:
                continue
            if alert.is_open:
                self._merge(alert, severity, evidence, now, rules)
                return
            if (
                alert.acknowledged_at is not None
                and severity != "urgent"
                and WEIGHT[severity] <= WEIGHT[alert.severity]
                and now - alert.acknowledged_at < rules.again_s
            ):
                return
            break
        self.last_id += 1
        self.alerts.append(
            Alert(
                id=self.last_id,
                kind=kind,
                severity=severity,
                about=about,
                evidence=dict(evidence),
                raised_at=now,
                changed_at=now,
                rises_at=now + rules.rise_s if severity == "urgent" else None,
                changed=True,
            )
        )
        self._forget()

    @staticmethod
    def _merge(
        alert: Alert, severity: Severity, evidence: dict[str, Scalar], now: float, rules: AlertRules
    ) -> None:
        if WEIGHT[severity] > WEIGHT[alert.severity]:
            alert.severity = severity
            if severity == "urgent":
                alert.rises_at = now + rules.rise_s
        alert.evidence = {**alert.evidence, **evidence}
        alert.count += 1
        alert.changed_at = now
        alert.changed = True

    def _forget(self) -> None:
        settled = [alert.id for alert in self.alerts if not alert.is_open]
        surplus = set(settled[: max(0, len(self.alerts) - KEPT)])
        if surplus:
            self.alerts = [alert for alert in self.alerts if alert.id not in surplus]

    def acknowledge(self, alert: Alert, by: str, now: float) -> None:
        alert.acknowledged_by = by
        alert.acknowledged_at = now
        alert.rises_at = None

    def withdraw(self, kind: AlertKind, about: str | None) -> Alert | None:
        """The cause is gone: an open alert closes by itself. Answers it if anyone had seen it."""
        for alert in self.alerts:
            if alert.kind == kind and alert.about == about and alert.is_open:
                alert.withdrawn = True
                alert.rises_at = None
                return alert if alert.shown else None
        return None

    def due(self, now: float, rules: AlertRules) -> list[tuple[Change, Alert]]:
        """What is to be told now, most severe first; told is then marked as told."""
        told: list[tuple[Change, Alert]] = []
        self.shown_at = [at for at in self.shown_at if now - at < 60.0]
        for alert in sorted(self.open(), key=lambda alert: -WEIGHT[alert.severity]):
            change = self._change(alert, now, rules)
            if change is None:
                continue
            if change == "rose_again":
                alert.rises += 1
                alert.rises_at = now + rules.rise_s * 2.0**alert.rises
            elif change == "raised" and alert.severity != "urgent":
                self.shown_at.append(now)
            alert.shown, alert.shown_at, alert.changed = alert.severity, now, False
            told.append((change, alert))
        return told

    def _change(self, alert: Alert, now: float, rules: AlertRules) -> Change | None:
        if alert.shown is None:
            waits = alert.severity != "urgent" and len(self.shown_at) >= rules.per_minute
            return None if waits else "raised"
        if alert.rises_at is not None and now >= alert.rises_at:
            return "rose_again"
        worse = WEIGHT[alert.severity] > WEIGHT[alert.shown]
        if alert.changed and (worse or now - alert.shown_at >= rules.merge_s):
            return "changed"
        return None
