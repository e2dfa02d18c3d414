"""What can go wrong with storage; every text is one sentence, without secrets."""

from __future__ import annotations


class StorageError(Exception):
    """The database cannot be used as it is."""


class StorageBusy(StorageError):
    """A write had to wait for others for too long; it has not happened."""


class KeyRingError(Exception):
    """The key ring cannot be read, or lacks the key that is needed."""


class SealError(Exception):
    """A sealed value or file does not open: it was altered, moved, or is under another key."""


class BackupError(Exception):
    """A backup cannot be made, read or restored."""
