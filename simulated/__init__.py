"""Simulated participants: real members of a room, without a browser.

They join over the same wire, are in the room's MLS group, and speak and look about in sealed
media, so that a demo has company, and tests and benchmarks have people.
"""
