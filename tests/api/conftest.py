"""PostgreSQL, for the tests that run on both databases."""

from __future__ import annotations

from tests.storage.conftest import cluster, databases, kind

__all__ = ["cluster", "databases", "kind"]
