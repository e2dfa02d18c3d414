"""The rules of each format, read from mappings such as TOML files give (``config/formats/``).

Every number is checked for type and bounds, every key must be known, and an error names the file
and the key, so that an operator who copied a file finds the slip. What a section leaves out keeps
the default written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args

from moderation.overlap_rules import OverlapRules

Kind = Literal["open", "queue", "circle", "presentation"]
QueueOrder = Literal["first_come", "quietest_first"]
Phase = Literal["lobby", "check_in", "work", "check_out", "ended"]

KINDS: tuple[Kind, ...] = get_args(Kind)
QUEUE_ORDERS: tuple[QueueOrder, ...] = get_args(QueueOrder)
PHASES: tuple[Phase, ...] = get_args(Phase)

MAX_DESCRIPTION = 300
"""Characters."""


class FormatError(ValueError):
    """A format that cannot be used; the message names the file and the key."""


def _number(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


def _count(default: int, low: int, high: int) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True)
class TurnRules:
    """How long someone holds the floor; all in s."""

    length_s: float = _number(120.0, 5.0, 7200.0)
    warning_s: float = _number(20.0, 0.0, 600.0)
    """How long before the end the holder is gently told."""
    lost_grace_s: float = _number(10.0, 0.0, 120.0)
    """How long the floor waits for a holder who lost the network."""


@dataclass(frozen=True, slots=True)
class QueueRules:
    order: QueueOrder = field(default="first_come", metadata={"choices": QUEUE_ORDERS})


@dataclass(frozen=True, slots=True)
class CircleRules:
    rounds: int = _count(1, 1, 10)
    """How often the talking piece goes round by itself."""
    rest_s: float = _number(120.0, 0.0, 3600.0)
    """How long it rests after the last round, in s, until the format ``then`` takes over."""
    then: str = "open"
    """Name of an open format: so that a finished circle never stays mute by accident."""


@dataclass(frozen=True, slots=True)
class PresentationRules:
    question_s: float = _number(90.0, 5.0, 3600.0)
    """Length of a question, and of the presenter's time to answer, in s."""


@dataclass(frozen=True, slots=True)
class ConductRules:
    """The ladder; see :mod:`moderation.conduct`."""

    nudge_every_s: float = _number(20.0, 0.0, 3600.0)
    """At most one nudge to a person in this time, in s."""
    short_mutes_s: tuple[float, ...] = field(
        default=(8.0, 20.0), metadata={"low": 1.0, "high": 600.0}
    )
    """Lengths of the short mutes, one after the other, in s; then muted until lifted."""
    decay_s: float = _number(300.0, 10.0, 7200.0)
    """One step of the ladder is forgotten in each such time without another, in s."""
    report_after: int = _count(3, 1, 100)
    """This many judged interruptions within ``report_window_s`` raise an alert."""
    report_window_s: float = _number(600.0, 10.0, 7200.0)


@dataclass(frozen=True, slots=True)
class FairnessRules:
    dominating_times: float = _number(2.0, 1.1, 16.0)
    """Someone with more than this many fair shares of the last 10 minutes is nudged."""
    min_talk_s: float = _number(60.0, 0.0, 600.0)
    """...once they have talked this long in that time, in s."""
    nudge_every_s: float = _number(300.0, 10.0, 3600.0)
    report_after_s: float = _number(120.0, 0.0, 3600.0)
    """Going on as before for so long after the nudge: an alert to the facilitators, in s."""
    not_heard_s: float = _number(600.0, 30.0, 7200.0)
    """Not a word for so long, in s: an alert to the facilitators."""


@dataclass(frozen=True, slots=True)
class AlertRules:
    distress_attention: int = _count(7, 0, 10)
    """A rating from this on raises an alert..."""
    distress_urgent: int = _count(9, 0, 10)
    """...and from this on an urgent one."""
    rise_s: float = _number(60.0, 5.0, 3600.0)
    """An urgent alert nobody acknowledged rises again after this, then after twice it, …, in s."""
    merge_s: float = _number(10.0, 0.0, 600.0)
    """Changes of one alert are gathered for so long, in s; more severe ones are told at once."""
    again_s: float = _number(300.0, 0.0, 3600.0)
    """After someone acknowledged it, the same alert stays quiet for so long, in s; help never."""
    per_minute: int = _count(6, 1, 60)
    """At most this many alerts that are not urgent are shown in a minute; others wait."""
    left_after_mute_s: float = _number(60.0, 0.0, 3600.0)
    left_after_rating_s: float = _number(900.0, 0.0, 7200.0)
    """Leaving within so long of a mute or a high rating counts as abrupt, in s."""


@dataclass(frozen=True, slots=True)
class UnattendedRules:
    """What gives way when no facilitator is connected, so that nobody stays mute; all in s."""

    after_s: float = _number(30.0, 0.0, 600.0)
    """How long no facilitator may be connected before that counts."""
    mute_s: float = _number(60.0, 0.0, 3600.0)
    """Mutes that only a facilitator could lift end so long after."""
    pause_s: float = _number(180.0, 0.0, 3600.0)
    """A pause ends by itself so long after."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its kind and its numbers."""

    name: str
    kind: Kind
    title: str
    description: str
    """A sentence for those who choose it; may be empty."""
    default_for: tuple[Phase, ...]
    turn: TurnRules
    queue: QueueRules
    circle: CircleRules
    presentation: PresentationRules
    conduct: ConductRules
    fairness: FairnessRules
    alerts: AlertRules
    unattended: UnattendedRules
    overlap: OverlapRules
    """How talk over someone else's talk is judged (see :mod:`moderation.overlap`)."""

    @property
    def structured(self) -> bool:
        """Whether only the holder of the floor is heard."""
        return self.kind != "open"


_FOR_KINDS: dict[str, tuple[Kind, ...]] = {
    "turn": ("queue", "circle", "presentation"),
    "queue": ("queue", "presentation"),
    "circle": ("circle",),
    "presentation": ("presentation",),
    "conduct": ("open",),
    "overlap": ("open",),
    "fairness": ("open", "queue"),
    "alerts": KINDS,
    "unattended": KINDS,
}
"""Which section means something for which kind; elsewhere it would be a promise not kept."""

_Rules = TypeVar("_Rules")


def parse_format(name: str, mapping: Mapping[str, object]) -> Format:
    """Check one format's mapping; ``name`` is its file's name without the ending."""
    known = {"kind", "title", "description", "default_for", *_FOR_KINDS}
    for key in mapping:
        if key not in known:
            raise FormatError(f"{name}: {key}: there is no such key")
    kind = mapping.get("kind")
    if kind not in KINDS:
        raise FormatError(f"{name}: kind: must be one of {', '.join(KINDS)}, not {kind!r}")
    title = mapping.get("title")
    if not isinstance(title, str) or not title.strip():
        raise FormatError(f"{name}: title: must be a few words to show, not {title!r}")
    description = mapping.get("description", "")
    if not isinstance(description, str) or len(description) > MAX_DESCRIPTION:
        raise FormatError(
            f"{name}: description: must be a sentence of up to {MAX_DESCRIPTION} characters"
        )
    phases = mapping.get("default_for", [])
    if not isinstance(phases, list) or any(phase not in PHASES for phase in phases):
        raise FormatError(f"{name}: default_for: must be a list of {', '.join(PHASES)}")
    for section, kinds in _FOR_KINDS.items():
        if section in mapping and kind not in kinds:
            raise FormatError(f"{name}: {section}: means nothing for the kind {kind}")
    parsed = Format(
        name=name,
        kind=kind,
        title=title,
        description=description,
        default_for=tuple(phases),
        turn=_section(name, mapping, "turn", TurnRules),
        queue=_section(name, mapping, "queue", QueueRules),
        circle=_section(name, mapping, "circle", CircleRules),
        presentation=_section(name, mapping, "presentation", PresentationRules),
        conduct=_section(name, mapping, "conduct", ConductRules),
        fairness=_section(name, mapping, "fairness", FairnessRules),
        alerts=_section(name, mapping, "alerts", AlertRules),
        unattended=_section(name, mapping, "unattended", UnattendedRules),
        overlap=_overlap_rules(name, mapping.get("overlap", {})),
    )
    if parsed.turn.warning_s >= parsed.turn.length_s:
        raise FormatError(f"{name}: turn.warning_s: must be shorter than turn.length_s")
    if parsed.alerts.distress_urgent < parsed.alerts.distress_attention:
        raise FormatError(f"{name}: alerts.distress_urgent: must not be below distress_attention")
    return parsed


def _section(name: str, mapping: Mapping[str, object], section: str, rules: type[_Rules]) -> _Rules:
    values = mapping.get(section, {})
    if not isinstance(values, Mapping):
        raise FormatError(f"{name}: {section}: must be a section, not {values!r}")
    specs = {spec.name: spec for spec in fields(rules)}  # type: ignore[arg-type]
    checked: dict[str, object] = {}
    for key, value in values.items():
        spec = specs.get(key)
        if spec is None:
            raise FormatError(f"{name}: {section}.{key}: there is no such key")
        checked[key] = _value(f"{name}: {section}.{key}", value, spec.default, spec.metadata)
    return rules(**checked)


def _overlap_rules(name: str, values: object) -> OverlapRules:
    if not isinstance(values, Mapping):
        raise FormatError(f"{name}: overlap: must be a section, not {values!r}")
    try:
        return OverlapRules.from_mapping(values)
    except ValueError as error:
        raise FormatError(f"{name}: {error}") from error


def _value(where: str, value: object, default: object, bounds: Mapping[str, Any]) -> object:
    """Check one value against its bounds, and its type against the default's."""
    if "choices" in bounds:
        if value not in bounds["choices"]:
            raise FormatError(f"{where}: must be one of {', '.join(bounds['choices'])}")
        return value
    if isinstance(default, str):
        if not isinstance(value, str):
            raise FormatError(f"{where}: must be text, not {value!r}")
        return value
    if isinstance(default, tuple):
        if not isinstance(value, list):
            raise FormatError(f"{where}: must be a list of numbers, not {value!r}")
        return tuple(_value(where, item, 0.0, bounds) for item in value)
    low, high = bounds["low"], bounds["high"]
    whole = isinstance(default, int)
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or (whole and isinstance(value, float))
        or not low <= value <= high
    ):
        wanted = "a whole number" if whole else "a number"
        raise FormatError(f"{where}: must be {wanted} from {low:g} to {high:g}, not {value!r}")
    return value if whole else float(value)


class Formats:
    """All formats of a room, and which one each phase opens with."""

    def __init__(self, formats: Mapping[str, Format]) -> None:
        self._formats = dict(formats)
        self._defaults: dict[Phase, Format] = {}
        for parsed in self._formats.values():
            for phase in parsed.default_for:
                other = self._defaults.setdefault(phase, parsed)
                if other is not parsed:
                    raise FormatError(
                        f"{parsed.name}: default_for: {phase} already opens with {other.name}"
                    )
            if parsed.kind == "circle":
                follower = self._formats.get(parsed.circle.then)
                if follower is None or follower.kind != "open":
                    raise FormatError(
                        f"{parsed.name}: circle.then: must name a format of kind open,"
                        f" not {parsed.circle.then!r}"
                    )
        for phase in PHASES:
            if phase not in self._defaults:
                raise FormatError(f"default_for: no format names the phase {phase}")

    @classmethod
    def parse(cls, mappings: Mapping[str, Mapping[str, object]]) -> Formats:
        """From each file's name without its ending, and its content."""
        return cls({name: parse_format(name, mapping) for name, mapping in mappings.items()})

    def __contains__(self, name: object) -> bool:
        return name in self._formats

    def __getitem__(self, name: str) -> Format:
        return self._formats[name]

    def names(self) -> tuple[str, ...]:
        return tuple(self._formats)

    def default_for(self, phase: Phase) -> Format:
        return self._defaults[phase]

    def chosen(self, names: Sequence[str]) -> Formats:
        """Those that a group has chosen of these, with what its circles go on with; all, if it has
        chosen none of them.

        Its sessions begin with the first, in place of the one that opens the lobby here. A phase
        for which another is made, such as the check-in, opens with that if it is among them.
        """
        known = [self._formats[name] for name in names if name in self._formats]
        if not known:
            return self
        opening = self._defaults["lobby"]
        defaults = {
            phase: usual if usual in known and usual is not opening else known[0]
            for phase, usual in self._defaults.items()
        }
        known += [self._formats[one.circle.then] for one in known if one.kind == "circle"]
        chosen = copy(self)
        chosen._formats, chosen._defaults = {one.name: one for one in known}, defaults
        return chosen
