"""Every message between browser and server, as typed models: the only file to read for the wire.

Each Socket.IO event has one model for its payload. A request from the browser is acknowledged
with ``{"ok": true, ...}`` (an :class:`Ok` or one of its subclasses) or with
``{"error": {"code": ..., "message": ...}}`` (:class:`Refusal`). ``make types`` turns these models
into JSON Schema and that into TypeScript.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
)

from moderation.words import RefusalCode

PROTOCOL_VERSION = 3
"""Raised when an older browser page could no longer talk to this server."""

MAX_SLOTS = 16
"""The largest room: each participant has one slot."""

MAX_SDP_CHARS = 100_000

WireCode = Literal[
    "bad_token",
    "expired_token",
    "wrong_room",
    "outdated_page",
    "room_full",
    "server_full",
    "malformed",
    "unknown_event",
    "too_fast",
    "too_many_connections",
    "not_joined",
    "already_joined",
    "bad_answer",
    "screen_taken",
    "bad_key_package",
    "identity_taken",
    "wrong_name",
    "not_let_in",
    "may_not_enter",
    "not_waiting",
    "cannot_keep_out",
    "no_such_text",
    "not_in_group",
    "stale_epoch",
    "epoch_gone",
    "bad_commit",
    "bad_chat",
    "nobody_there",
    "stopping",
    "internal",
]

ErrorCode = Literal[WireCode, RefusalCode]
"""Why something is refused: by the wire and the rooms, or by the moderation engine."""

Role = Literal["participant", "facilitator"]

Connection = Literal["connecting", "connected", "reconnecting"]

Phase = Literal["lobby", "check_in", "work", "check_out", "ended"]

FormatKind = Literal["open", "queue", "circle", "presentation"]

DocumentKind = Literal["guidelines", "confidentiality", "telehealth_consent", "part2_notice"]
"""The kinds of texts that groups have; in rooms with links there are guidelines alone."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories of control and format characters."""

_JOINERS = "\u200c\u200d"

Ciphersuite = Literal[
    "MLS_256_XWING_AES256GCM_SHA512_Ed25519", "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"
]
"""What the MLS group of a room is made with: post-quantum X-Wing, or suite 1 of RFC 9420."""


def _octets(longest: int, shortest: int = 1) -> Any:
    """Bytes that go over the wire as MessagePack's bin."""
    return Annotated[
        bytes,
        Field(min_length=shortest, max_length=longest),
        WithJsonSchema({"type": "string", "format": "binary", "tsType": "Uint8Array"}),
    ]


if TYPE_CHECKING:
    KeyPackageBytes = bytes
    CommitBytes = bytes
    WelcomeBytes = bytes
    ChatBytes = bytes
    GroupId = bytes
else:
    KeyPackageBytes = _octets(8_192)
    """An MLSMessage with a KeyPackage (RFC 9420 section 10)."""
    CommitBytes = _octets(65_536)
    """An MLSMessage with a PublicMessage that holds a Commit (RFC 9420 section 12.4)."""
    WelcomeBytes = _octets(98_304)
    """An MLSMessage with a Welcome (RFC 9420 section 12.4.3.1)."""
    ChatBytes = _octets(49_152)
    """An MLSMessage with a PrivateMessage that holds application data (RFC 9420 section 6.3)."""
    GroupId = _octets(16, 16)

MlsId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{21}[AQgw]$")]
"""The fingerprint of an MLS signature key, 128 bits: see :mod:`signaling.identity`."""

Epoch = Annotated[int, Field(ge=0, lt=2**53)]

RoomId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Message(BaseModel):
    """Base of all wire models: nothing unnamed is let through."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, json_schema_serialization_defaults_required=True
    )


# --- Handshake: the Socket.IO CONNECT packet's auth object -------------------------------------


class Hello(Message):
    """Who wants to come in, sent as Socket.IO ``auth`` when the socket opens."""

    protocol: int
    """The :data:`PROTOCOL_VERSION` the page was built for."""
    room: RoomId
    token: Annotated[str, StringConstraints(max_length=2_000)]
    """The link's signed token."""
    resume: Annotated[str, StringConstraints(max_length=2_000)] | None = None
    """From an earlier :class:`Joined`, to take one's own place again."""


# --- Requests: browser to server ---------------------------------------------------------------


class GroupPosition(Message):
    """Where someone is in the life of the room's MLS group."""

    group: GroupId
    epoch: Epoch


class Join(Message):
    """Event ``join``: enter the room; acknowledged with :class:`Joined`."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
    """How this person wants to be called; the same as in the key package's credential."""
    mic: bool
    camera: bool
    key_package: KeyPackageBytes
    """A fresh one; its signature key gives the person's id (see :mod:`signaling.identity`)."""
    position: GroupPosition | None = None
    """Of a page that comes back and still has its MLS state."""

    @field_validator("name")
    @classmethod
    def _can_be_shown(cls, name: str) -> str:
        """Refuse control and format characters: they can spoof or garble another's name.

        The two zero-width joiners are let through: Persian names and many emoji need them.
        """
        if any(unicodedata.category(char) in _HIDDEN for char in name if char not in _JOINERS):
            raise ValueError("has a character that cannot be shown")
        if not any(unicodedata.category(char)[0] in "LNPS" for char in name):
            raise ValueError("has nothing that can be seen")
        return name


class Answer(Message):
    """Event ``answer``: the browser's SDP answer to the latest offer; acknowledged with Ok."""

    sdp: Annotated[str, StringConstraints(max_length=MAX_SDP_CHARS)]


class Media(Message):
    """Event ``media``: what this person now sends; acknowledged with Ok."""

    mic: bool
    camera: bool


class ShareScreen(Message):
    """Event ``share_screen``: take or free the room's one screen slot; acknowledged with Ok."""

    on: bool


class RestartIce(Message):
    """Event ``restart_ice``: ask for an offer with new ICE credentials; acknowledged with
    :class:`Offer`."""


class Leave(Message):
    """Event ``leave``: give up one's place; acknowledged with Ok."""


class Knock(Message):
    """Event ``knock``: ask to be let in; acknowledged with Ok.

    What comes then is ``waiting``, at once ``let_in`` for whom nobody has to let in, or
    ``removed``. Until ``let_in``, ``join`` is refused as ``not_let_in``.
    """

    mls_id: MlsId
    """Of the key that this page will join with, so that a facilitator lets in that key alone."""


# --- Requests: the floor and one's own needs (RFC 8855 section 10) -----------------------------

PersonId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A `Participant.id`."""


class RequestFloor(Message):
    """Event ``request_floor``: raise one's hand."""


class CancelRequest(Message):
    """Event ``cancel_request``: lower one's hand."""


class ReleaseFloor(Message):
    """Event ``release_floor``: give the floor back."""


class PassTurn(Message):
    """Event ``pass_turn``: let the talking piece go by."""


class AskHelp(Message):
    """Event ``ask_help``: the silent help button; only facilitators learn of it."""


class RateDistress(Message):
    """Event ``rate_distress``: one's own distress (SUDS), seen by facilitators alone."""

    rating: Annotated[int, Field(ge=0, le=10)] | None
    """0 none to 10 the worst imaginable; null takes it back."""


# --- Requests of facilitators (RFC 8855 section 11) ---------------------------------------------


class GrantFloor(Message):
    """Event ``grant_floor``."""

    to: PersonId


class RevokeFloor(Message):
    """Event ``revoke_floor``."""


class ReorderQueue(Message):
    """Event ``reorder_queue``: hands, or in a circle the seats still waiting, in this order."""

    order: Annotated[list[PersonId], Field(max_length=MAX_SLOTS)]


class SetQueueOrder(Message):
    """Event ``set_queue_order``."""

    order: Literal["first_come", "quietest_first"]


class ExtendTurn(Message):
    """Event ``extend_turn``."""

    seconds: Annotated[float, Field(gt=0, le=3_600, strict=False)]


class NextRound(Message):
    """Event ``next_round``: send the talking piece round once more."""


class Invite(Message):
    """Event ``invite``: tell one person privately that they are welcome to speak."""

    to: PersonId


class SetFormat(Message):
    """Event ``set_format``."""

    format: Annotated[str, StringConstraints(max_length=64)]


class SetPhase(Message):
    """Event ``set_phase``."""

    phase: Phase


class Pause(Message):
    """Event ``pause``: all quiet, until ``resume``."""


class Resume(Message):
    """Event ``resume``."""


class MutePerson(Message):
    """Event ``mute_person``."""

    who: PersonId
    seconds: Annotated[float, Field(gt=0, le=3_600, strict=False)] | None = None
    """For how long; null: until a facilitator lifts it."""


class UnmutePerson(Message):
    """Event ``unmute_person``."""

    who: PersonId


class MuteAll(Message):
    """Event ``mute_all``: everyone but the facilitators."""


class UnmuteAll(Message):
    """Event ``unmute_all``."""


class Forgive(Message):
    """Event ``forgive``: back to the foot of the conduct ladder, and heard again."""

    who: PersonId


class SetLadder(Message):
    """Event ``set_ladder``: the conduct ladder of the whole room on or off."""

    on: bool


class AcknowledgeAlert(Message):
    """Event ``acknowledge_alert``."""

    alert: int


WaitingId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A `WaitingPerson.id`."""


def _sentence(text: str) -> str:
    """Refuse what could not be shown as words."""
    if any(unicodedata.category(char) in _HIDDEN for char in text if char not in _JOINERS):
        raise ValueError("has a character that cannot be shown")
    return text


class Admit(Message):
    """Event ``admit``: let people in from the waiting room.

    They are named one by one, so that nobody comes in whom the facilitator has not seen. Who does
    not wait any more is passed over; where nobody is left, it is refused as ``not_waiting``.
    """

    who: Annotated[list[WaitingId], Field(min_length=1, max_length=64)]


class TurnAway(Message):
    """Event ``turn_away``: do not let someone in now; they may knock again."""

    who: WaitingId
    message: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
    """What they are told, in kind words."""

    _can_be_shown = field_validator("message")(_sentence)


class RemovePerson(Message):
    """Event ``remove_person``: take a participant out of the room."""

    who: PersonId
    keep_out: bool
    """Whether they cannot come back in this session; otherwise they can knock again. Who came by
    a link without an account cannot be kept out (``cannot_keep_out``)."""


class ShowText(Message):
    """Event ``show_text``: put one of the group's texts on everyone's screen, or take it away.

    The text is always the server's own, in its present version. One that is not there is refused
    as ``no_such_text``.
    """

    kind: DocumentKind | None
    """null: nothing any more."""


# --- Requests: end-to-end encryption (docs/security.md) -----------------------------------------


class Commit(Message):
    """Event ``commit``: the next epoch of the room's MLS group; acknowledged with Ok.

    The first commit that comes for an epoch wins; the others are refused as ``stale_epoch``.
    """

    group: GroupId
    epoch: Epoch
    """The epoch that it is made in and ends."""
    commit: CommitBytes
    welcome: WelcomeBytes | None = None
    """For those whom the commit adds."""


class CatchUp(Message):
    """Event ``catch_up``: ask for the commits missed since; acknowledged with :class:`CaughtUp`,
    or refused as ``epoch_gone``: then ``renew``."""

    group: GroupId
    epoch: Epoch


class Renew(Message):
    """Event ``renew``: this page's MLS state is lost, add it anew; acknowledged with
    :class:`Renewed`."""

    key_package: KeyPackageBytes


Audience = Literal["room", "facilitators", "person"]


class Chat(Message):
    """Event ``chat``: words that the server cannot read.

    To ``facilitators`` goes what is private between one person and them. To a ``person``, only
    facilitators can write; the other facilitators get it, too.
    """

    audience: Audience
    to: PersonId | None = None
    """For the audience ``person``."""
    message: ChatBytes


# --- Acknowledgements --------------------------------------------------------------------------


class Ok(Message):
    ok: Literal[True] = True


class Participant(Message):
    """One person in the room, as everyone in it may see them."""

    id: str
    """The fingerprint of the signature key that their page made for this visit."""
    name: str
    role: Role
    slot: Annotated[int, Field(ge=0, lt=MAX_SLOTS)]
    """Their audio comes on the m-line with mid ``a<slot>``, their video on ``v<slot>``, the slot
    in hexadecimal: ``a0`` to ``af``."""
    mic: bool
    camera: bool
    screen: bool
    """Their shared screen comes on mid ``s0``; at most one person has it."""
    connection: Connection


class Roster(Message):
    """Event ``roster`` (also inside :class:`Joined`): everyone in the room, in order of slot.

    A roster replaces the one before it; one with a smaller version is older and to be ignored.
    """

    version: int
    participants: Annotated[list[Participant], Field(max_length=MAX_SLOTS)]
    whole_frames: bool
    """Whether all pages can take video that is sealed whole: they have negotiated the dependency
    descriptor. Otherwise the codec's first byte stays in the clear."""


class Offer(Ok):
    sdp: str


class FormatInfo(Message):
    """One of the formats that facilitators can choose."""

    name: str
    title: str
    kind: FormatKind


class GroupStanding(Message):
    """How someone stands towards the room's MLS group."""

    group: GroupId
    standing: Literal["founder", "member", "waiting"]
    """``founder``: found this group now, alone in it. ``member``: still in it; process `commits`.
    ``waiting``: a ``group_welcome`` will come."""
    commits: list[CommitBytes]
    """What a member has missed, oldest first."""


class Joined(Offer):
    """Acknowledges ``join``; the offer must be answered with ``answer``.

    The offer's mids: ``mi``, ``ca`` and ``sc`` take this person's microphone, camera and screen;
    ``a<slot>``, ``v<slot>`` and ``s0`` bring the others' (see :class:`Participant`).
    """

    id: str
    """This person's own ``Participant.id``."""
    resume: str
    """Present it in :class:`Hello` and join again to get the same place; keep it as secret as
    the link."""
    roster: Roster
    formats: list[FormatInfo]
    group: GroupStanding


class Renewed(Ok):
    group: GroupStanding


class CaughtUp(Ok):
    commits: list[CommitBytes]
    """Oldest first."""


class Problem(Message):
    code: ErrorCode
    message: str
    """One sentence in plain words, fit to be shown."""


class Refusal(Message):
    error: Problem


# --- Events: server to browser -----------------------------------------------------------------


class SessionName(Message):
    """What the HTTP API calls a group's session."""

    group: str
    key: str
    """Of the session, by its start, such as ``20270105T180000Z``."""


class Welcome(Message):
    """Event ``welcome``: sent once the socket is let in, before ``join``."""

    role: Role
    capacity: Annotated[int, Field(ge=2, le=MAX_SLOTS)]
    present: int
    """How many people are in the room now."""
    ciphersuite: Ciphersuite
    """What key packages must be made for."""
    name: str | None
    """How this person is called in the group that meets here, and has to join; null: they
    choose."""
    waits: bool
    """Whether a facilitator has to let them in: ``knock`` before ``join``."""
    session: SessionName | None
    """For facilitators of the group that meets here alone."""


class Stopping(Message):
    """Event ``stopping``: the server stops in a moment; reconnect by yourself after the delay."""

    retry_after_ms: int


class Removed(Message):
    """Event ``removed``: this page is no longer in the room and must not reconnect by itself."""

    code: Literal["joined_elsewhere", "idle", "turned_away", "taken_out", "kept_out"]
    """``turned_away`` from the waiting room; ``taken_out`` of the room, but they can knock again;
    ``kept_out`` where it makes no sense to."""
    message: str


# --- Events: the waiting room -------------------------------------------------------------------


class InWaitingRoom(Message):
    """Event ``waiting``: this person is in the waiting room; replaces the one before it."""

    attended: bool
    """Whether a facilitator is in the room, who sees them wait."""
    text: str
    """The same in kind words."""


class LetIn(Message):
    """Event ``let_in``: now ``join``."""


class WaitingPerson(Message):
    """Someone who waits, as facilitators see them."""

    id: str
    """Made up for this wait; for ``admit`` and ``turn_away``."""
    person: str
    """By which the group's facilitators know them in the HTTP API, such as to see where they
    are: of a membership, a guest, or an absence that is made up."""
    mls_id: MlsId
    """As they told with ``knock``: to be their `Participant.id` once they are let in."""
    name: str
    pronouns: str | None
    role: Role
    kind: Literal["member", "guest", "make_up"]
    waited_ms: int
    """For how long, when this was sent."""
    away: bool
    """Their connection is lost; they may come back."""
    signed: bool
    """All agreements, in their present version. Nobody gets as far as here without."""
    confirmed: bool
    """Where they are now and whom to call, for this session; likewise."""


class WaitingRoom(Message):
    """Event ``waiting_room``, to facilitators alone: who waits, the longest first; replaces the
    one before it."""

    people: list[WaitingPerson]


# --- Events: the floor, as everyone sees it -----------------------------------------------------
#
# Durations are in ms from when the message was sent: a page's clock may be wrong. A duration of
# null has no end. People are named by `Participant.id`.


class Piece(Message):
    """Where the talking piece is in a circle."""

    round: int
    rounds: int
    waiting: list[str]
    """Who still gets it in this round, in order."""
    resting: bool
    """The last round is over: nobody has the piece."""


class Floor(Message):
    """Event ``floor``: who may speak, and how; replaces the one before it."""

    phase: Phase
    format: str
    kind: FormatKind
    holder: str | None
    turn_left_ms: int | None
    turn_runs: bool
    """False while the turn's clock stands still: in a pause, or for a holder's lost network."""
    queue: list[str]
    """Raised hands, next first."""
    queue_order: Literal["first_come", "quietest_first"]
    piece: Piece | None
    presenter: str | None
    paused: bool
    all_muted: bool
    attended: bool
    """False: no facilitator is in the room."""


class ShownDocument(Message):
    """A text that is on everyone's screen."""

    kind: DocumentKind
    title: str
    version: int | None
    """null: it is the one that comes with Holdspace, in a room with links."""
    text: str
    """Markdown."""
    by: str
    """The name of the facilitator who shows it."""


class ShownText(Message):
    """Event ``shown_text``: what text is on everyone's screen; replaces the one before it."""

    shown: ShownDocument | None


# --- Events: to one person alone ----------------------------------------------------------------

GateReason = Literal[
    "not_your_turn", "paused", "all_muted", "short_mute", "held_mute", "facilitator_mute"
]


class Own(Message):
    """Event ``own``: how things stand for the person told; replaces the one before it."""

    holding: bool
    hand_raised: bool
    place: int | None
    """Own place in the queue, or among those waiting for the talking piece; 1 is next."""
    muted: GateReason | None
    """Why nobody hears them; null: they are heard."""
    muted_left_ms: int | None
    text: str
    """One kind sentence on why; empty while they are heard."""
    rating: int | None
    help: Literal["none", "asked", "seen"]
    """Whether they asked for help, and whether a facilitator has seen it."""


class YourTurn(Message):
    """Event ``your_turn``."""

    left_ms: int | None
    text: str


class TurnEndingSoon(Message):
    """Event ``turn_ending_soon``."""

    left_ms: int
    text: str


class TurnEnded(Message):
    """Event ``turn_ended``."""

    why: str
    text: str


class Nudge(Message):
    """Event ``nudge``: a gentle word that nobody else sees."""

    about: Literal["interruption", "share"]
    text: str


class Muted(Message):
    """Event ``muted``: the relay has closed this person's gate."""

    reason: GateReason
    left_ms: int | None
    text: str


class Unmuted(Message):
    """Event ``unmuted``."""

    text: str


class Invited(Message):
    """Event ``invited``: a facilitator would like to hear this person."""

    text: str


class OwnShare(Message):
    """Event ``own_share``: one's own part in the talk; shares are 0 to 1."""

    talk_s: float
    share: float
    recent_share: float
    """In the last ten minutes."""
    fair_share: float
    """What each would have if all had the same."""
    text: str


class HelpReceived(Message):
    """Event ``help_received``."""

    text: str


class HelpSeen(Message):
    """Event ``help_seen``: a facilitator has acknowledged the call for help."""

    text: str


# --- Events: end-to-end encryption ---------------------------------------------------------------


class Waiting(Message):
    """Someone who is to be added to the MLS group."""

    id: str
    key_package: KeyPackageBytes


class Leaving(Message):
    """Someone who is to be removed from the MLS group."""

    id: str
    leaf: int


class CommitDue(Message):
    """Event ``commit_due``: it is up to this page to make the next commit; replaces the one
    before it.

    Someone who lost their state is in both lists. The page decides: it adds nobody whom it does
    not find in the room, nor anyone in the place of someone else.
    """

    group: GroupId
    epoch: Epoch
    add: list[Waiting]
    remove: list[Leaving]


class FoundGroup(Message):
    """Event ``found_group``: nobody is there who could add this waiting page, so it is to found
    a group of its own."""

    group: GroupId


class Committed(Message):
    """Event ``committed``: a commit that others made; process it in the epoch that it names."""

    group: GroupId
    epoch: Epoch
    commit: CommitBytes


class GroupWelcome(Message):
    """Event ``group_welcome``: this page was added to the MLS group."""

    group: GroupId
    welcome: WelcomeBytes


class ChatMessage(Message):
    """Event ``chat_message``: see :class:`Chat`; its writer does not get it back."""

    sender: str
    audience: Audience
    to: str | None
    message: ChatBytes


# --- Events: to facilitators alone --------------------------------------------------------------


class Figures(Message):
    """Someone's part in the talk over one stretch of time."""

    talk_s: float
    share: float
    """Of all participants' talk, 0 to 1; 0 for facilitators, whose talk is not shared out."""
    turns: int
    interruptions_made: int
    interruptions_suffered: int


class PersonView(Message):
    """One person as facilitators see them."""

    id: str
    person: str | None
    """As `WaitingPerson.person`; null in rooms with links."""
    role: Role
    connected: bool
    session: Figures
    recent: Figures
    """Over the last 10 minutes."""
    last_heard_ms: int | None
    """How long ago; null: not yet."""
    gate: GateReason | None
    """Why they cannot be heard; null: they can."""
    gate_text: str
    """The same in words, with what lifts it."""
    muted_left_ms: int | None
    muted_by: str | None
    muted_why: str
    """What happened, of a mute by the conduct ladder."""
    strikes: int
    rating: int | None
    rated_ms: int | None
    """How long ago."""
    hand_raised: bool


class People(Message):
    """Event ``people``: the facilitators' console; replaces the one before it."""

    people: list[PersonView]
    gini: float
    """Gini coefficient of the participants' talk time: 0 equal, towards 1 all by one person."""
    recent_gini: float
    fair_share: float
    suggested: list[str]
    """Whom one could invite next, best first."""
    ladder_on: bool


class Alert(Message):
    """Event ``alert``: an alert as it now stands; replaces the one of the same id."""

    change: Literal["raised", "changed", "acknowledged", "rose_again", "withdrawn"]
    id: int
    kind: Literal[
        "help_asked",
        "distress_high",
        "repeated_interruptions",
        "not_heard",
        "dominating",
        "left_abruptly",
        "nobody_facilitating",
    ]
    severity: Literal["info", "attention", "urgent"]
    about: str | None
    """The person it is about; null for the room."""
    about_name: str | None
    """How that person is called, also when they have left."""
    about_person: str | None
    """As `WaitingPerson.person`, likewise; null in rooms with links."""
    text: str
    evidence: dict[str, str | int | float | bool | None]
    count: int
    """How many times its cause came while it was open."""
    raised_at: float
    """Unix time in s."""
    rises: int
    """How often it rose again because nobody acknowledged it."""
    acknowledged_by: str | None
    """The name of the facilitator."""
    acknowledged_at: float | None
    """Unix time in s."""


# --- Who may ask what ---------------------------------------------------------------------------

EVERYONE: frozenset[Role] = frozenset({"participant", "facilitator"})
PARTICIPANTS: frozenset[Role] = frozenset({"participant"})
FACILITATORS: frozenset[Role] = frozenset({"facilitator"})


class Request(NamedTuple):
    """What one event from the browser carries, how it is acknowledged, and who may send it."""

    payload: type[Message]
    reply: type[Ok]
    roles: frozenset[Role]


REQUESTS: dict[str, Request] = {
    "join": Request(Join, Joined, EVERYONE),
    "answer": Request(Answer, Ok, EVERYONE),
    "media": Request(Media, Ok, EVERYONE),
    "share_screen": Request(ShareScreen, Ok, EVERYONE),
    "restart_ice": Request(RestartIce, Offer, EVERYONE),
    "leave": Request(Leave, Ok, EVERYONE),
    "knock": Request(Knock, Ok, EVERYONE),
    "commit": Request(Commit, Ok, EVERYONE),
    "catch_up": Request(CatchUp, CaughtUp, EVERYONE),
    "renew": Request(Renew, Renewed, EVERYONE),
    "chat": Request(Chat, Ok, EVERYONE),
    "request_floor": Request(RequestFloor, Ok, EVERYONE),
    "cancel_request": Request(CancelRequest, Ok, EVERYONE),
    "release_floor": Request(ReleaseFloor, Ok, EVERYONE),
    "pass_turn": Request(PassTurn, Ok, EVERYONE),
    "ask_help": Request(AskHelp, Ok, EVERYONE),
    "rate_distress": Request(RateDistress, Ok, PARTICIPANTS),
    "grant_floor": Request(GrantFloor, Ok, FACILITATORS),
    "revoke_floor": Request(RevokeFloor, Ok, FACILITATORS),
    "reorder_queue": Request(ReorderQueue, Ok, FACILITATORS),
    "set_queue_order": Request(SetQueueOrder, Ok, FACILITATORS),
    "extend_turn": Request(ExtendTurn, Ok, FACILITATORS),
    "next_round": Request(NextRound, Ok, FACILITATORS),
    "invite": Request(Invite, Ok, FACILITATORS),
    "set_format": Request(SetFormat, Ok, FACILITATORS),
    "set_phase": Request(SetPhase, Ok, FACILITATORS),
    "pause": Request(Pause, Ok, FACILITATORS),
    "resume": Request(Resume, Ok, FACILITATORS),
    "mute_person": Request(MutePerson, Ok, FACILITATORS),
    "unmute_person": Request(UnmutePerson, Ok, FACILITATORS),
    "mute_all": Request(MuteAll, Ok, FACILITATORS),
    "unmute_all": Request(UnmuteAll, Ok, FACILITATORS),
    "forgive": Request(Forgive, Ok, FACILITATORS),
    "set_ladder": Request(SetLadder, Ok, FACILITATORS),
    "acknowledge_alert": Request(AcknowledgeAlert, Ok, FACILITATORS),
    "admit": Request(Admit, Ok, FACILITATORS),
    "turn_away": Request(TurnAway, Ok, FACILITATORS),
    "remove_person": Request(RemovePerson, Ok, FACILITATORS),
    "show_text": Request(ShowText, Ok, FACILITATORS),
}
"""By event name, all that a browser may ask."""

EVENTS: dict[str, type[Message]] = {
    "welcome": Welcome,
    "roster": Roster,
    "stopping": Stopping,
    "removed": Removed,
    "waiting": InWaitingRoom,
    "let_in": LetIn,
    "waiting_room": WaitingRoom,
    "floor": Floor,
    "shown_text": ShownText,
    "own": Own,
    "your_turn": YourTurn,
    "turn_ending_soon": TurnEndingSoon,
    "turn_ended": TurnEnded,
    "nudge": Nudge,
    "muted": Muted,
    "unmuted": Unmuted,
    "invited": Invited,
    "own_share": OwnShare,
    "help_received": HelpReceived,
    "help_seen": HelpSeen,
    "commit_due": CommitDue,
    "found_group": FoundGroup,
    "committed": Committed,
    "group_welcome": GroupWelcome,
    "chat_message": ChatMessage,
    "people": People,
    "alert": Alert,
}
"""Event name from the server to its payload's model."""
