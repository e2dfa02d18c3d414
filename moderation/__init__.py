"""The rules of a session: pure and sans-IO, with no sockets, no asyncio and no clock of its own.

It is told events and the time and answers with effects, so that the same session can be replayed.
Nothing here imports the network, the relay or storage.
"""
