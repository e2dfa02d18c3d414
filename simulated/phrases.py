"""What simulated people say, and what they are called."""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "Amina",
    "Mateo",
    "Ingrid",
    "Kofi",
    "Mei",
    "Tomasz",
    "Leila",
    "Joseph",
    "Priya",
    "Noah",
    "Yuki",
    "Rosa",
    "Samir",
    "Hana",
    "Elias",
    "Nadia",
)
"""As many as the largest room has people."""

PHRASES: Final = (
    "I have been thinking about what happened last week.",
    "It was a hard couple of days, but I got through them.",
    "My sister called, and for once we really talked.",
    "I tried the breathing exercise before I went to bed.",
    "Some mornings it still takes me a while to get going.",
    "I went for a walk by the river, and that helped a little.",
    "Honestly, I was not sure whether I wanted to come today.",
    "But I am glad that I did.",
    "I noticed that I was holding my breath again.",
    "What helped me most was writing it down.",
    "I told my neighbour how I was, and she just listened.",
    "I am still a bit nervous when the phone rings.",
    "Last night I slept through, for the first time in weeks.",
    "I know that feeling, and it does pass.",
    "Work has been a lot, so I said no to one thing.",
    "That was new for me, and nobody was angry.",
    "I cooked for my friends on Sunday.",
    "It is strange how quiet the house is now.",
    "I would like to try that as well.",
    "Maybe it does not have to be perfect.",
    "I keep coming back to what we said here last time.",
    "My son asked me how I was, and I told him the truth.",
    "There was a moment when I felt almost light.",
    "I think that I am being a little kinder to myself.",
)

BACKCHANNELS: Final = ("Mhm.", "Yeah.", "Right.", "Oh.")
"""Short, while another speaks."""

INTERRUPTIONS: Final = (
    "Sorry, but I have to say something about that.",
    "Wait, that was the same for me, exactly the same.",
    "No, but listen, I know how that goes.",
)
