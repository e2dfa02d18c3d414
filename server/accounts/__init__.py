"""Accounts: who someone is, and how they prove it.

`login` and `set_up` make a login, `sessions` keeps it, `step_up` proves it again; `factors` says
what an account can be logged in to with. `services` has what all of them share in memory.
"""
