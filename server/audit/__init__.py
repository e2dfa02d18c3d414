"""The audit: an append-only, hash-chained record of who did what to what, when and from where.

`record.record` puts an event on record, in the transaction of the change that it tells of;
`verify.verify` finds what was changed, removed or reordered since; `anchor.Anchor` keeps the end
of the chain in a second place, so that events missing at the end are found, too; `viewing` opens
sealed data with an event; `export` reads the events; `prune` deletes old ones.
"""
