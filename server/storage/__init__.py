"""What must last: the database, its sealed columns, backups and retention.

`database.Storage` opens it, `models` says what is in it, `sealed` how private text is kept.
"""
