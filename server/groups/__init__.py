"""Groups: who belongs to them, when they meet, what people agreed to, and who may come in.

Functions take an `AsyncSession` of a `server.storage.database.Storage.transaction` and an
`server.groups.act.Act`: who does it, and when. They raise `server.refusals.Refused`. Whether
someone may do it is for the caller to decide, by their role, but for `entry.may_enter`, which
decides by itself.
"""
