"""Every sentence that the engine has people read, in one place: kind, plain, short.

They are read by people who may be frightened or ashamed. None of them blames, none of them names
another person, and each closed door says what is still open.
"""

from __future__ import annotations

from typing import Literal

RefusalCode = Literal[
    "not_here",
    "not_facilitator",
    "not_participant",
    "room_full",
    "no_such_person",
    "no_such_alert",
    "no_such_format",
    "no_such_phase",
    "bad_value",
    "hand_already_up",
    "hand_not_up",
    "has_floor",
    "not_your_turn",
    "no_holder",
    "open_floor",
    "not_circle",
    "round_going",
    "not_connected",
    "paused",
    "not_paused",
    "not_all_muted",
    "facilitator_voice",
    "not_muted",
    "already",
    "ended",
]

REFUSALS: dict[RefusalCode, str] = {
    "not_here": "You are not in this room right now.",
    "not_facilitator": "Only a facilitator can do this.",
    "not_participant": "This is for participants.",
    "room_full": "This room is full right now.",
    "no_such_person": "That person is not in the room any more.",
    "no_such_alert": "That alert is not there any more.",
    "no_such_format": "There is no such format.",
    "no_such_phase": "There is no such phase.",
    "bad_value": "That value does not fit here.",
    "hand_already_up": "Your hand is already raised.",
    "hand_not_up": "Your hand is not raised.",
    "has_floor": "You already have the floor.",
    "not_your_turn": "It is not your turn just now.",
    "no_holder": "Nobody has the floor just now.",
    "open_floor": "Everyone can speak in this format. You can invite someone instead.",
    "not_circle": "There is no talking piece in this format.",
    "round_going": "The round is still going.",
    "not_connected": "They are not connected just now.",
    "paused": "The session is paused. Resume it first.",
    "not_paused": "The session is not paused.",
    "not_all_muted": "Nobody is muted.",
    "facilitator_voice": "A facilitator's voice is never muted here.",
    "not_muted": "They are not muted. If it is not their turn, you can give them the floor.",
    "already": "It is like that already.",
    "ended": "This session has ended.",
}

MUTED: dict[str, str] = {
    "not_your_turn": "Your microphone rests until it is your turn.",
    "paused": "We are taking a quiet moment together.",
    "all_muted": "All microphones are off for now. You can raise your hand or press Help.",
    "short_mute": "Someone else was still speaking. You will be heard again in a moment.",
    "held_mute": (
        "Your microphone is off for now, and the facilitators know."
        " You can raise your hand or press Help at any time."
    ),
    "facilitator_mute": (
        "A facilitator has turned your microphone off for now."
        " You can raise your hand or press Help at any time."
    ),
}
"""What the person themself reads."""

HELD_ALONE = (
    "Your microphone is off for a while. You can raise your hand or press Help at any time."
)
"""Instead of ``held_mute`` while no facilitator is there."""

GATES: dict[str, str] = {
    "not_your_turn": "Not their turn. Give them the floor, or choose an open format.",
    "paused": "The session is paused. Resume it.",
    "all_muted": "Everyone is muted. Unmute them, or everyone.",
    "short_mute": "Muted for a moment after talking over someone. You can unmute or forgive.",
    "held_mute": "Muted after talking over others repeatedly. You can unmute or forgive.",
    "facilitator_mute": "Muted by a facilitator. You can unmute.",
}
"""What facilitators read, with what lifts it."""

UNMUTED = "You can be heard again."
YOUR_TURN = "It is your turn. Take your time."
YOUR_TURN_CIRCLE = "The talking piece is with you. You may speak, or pass."
ENDING_SOON = "Your turn ends soon. There is time to finish your thought."

TURN_ENDED: dict[str, str] = {
    "released": "Thank you.",
    "passed": "That is fine. You passed.",
    "time": "Thank you. Your time is up for now.",
    "revoked": "Thank you. The facilitator has taken the floor back for now.",
    "granted_to_another": "Thank you. The facilitator has given the floor to someone else for now.",
    "lost": "Your connection was lost, so the floor went on.",
    "format": "Thank you. The group goes on in another way now.",
    "muted": "The floor goes on for now.",
}

NUDGES: dict[str, str] = {
    "interruption": "Someone may still be speaking. Could you let them finish?",
    "share": "Thank you for all you have shared. Could you leave some room for others?",
}

INVITED = "We would be glad to hear from you, if you wish. It is fine to say no."

HELP_RECEIVED = "The facilitators know that you asked for help."
HELP_RECEIVED_ALONE = (
    "No facilitator is here right now; they will see this when they come."
    " If you need someone at once, please call your local emergency number."
)
"""Until something answers the on-call effect, nothing else may be promised."""
HELP_SEEN = "A facilitator has seen that you asked for help."

ALERTS: dict[str, str] = {
    "help_asked": "Asked for help.",
    "distress_high": "Rated their distress high.",
    "repeated_interruptions": "Talked over others several times.",
    "not_heard": "Has not been heard for a while.",
    "dominating": "Has had much more than a fair share of the talk.",
    "left_abruptly": "Left suddenly.",
    "nobody_facilitating": "No facilitator is in the room.",
}


def own_share(share: float, fair_share: float) -> str:
    """One's own share of the talk in kind words; ``share`` and ``fair_share`` from 0 to 1."""
    if share < 0.5 * fair_share:
        return "There is room for more of your voice, whenever you wish."
    if share <= 1.5 * fair_share:
        return "You have had about an even share of the talk."
    return "You have shared a good deal. There may be others who would like to speak."
