"""All routes that the server has."""

from __future__ import annotations

from server.api import routes_accounts, routes_audit, routes_entry, routes_groups
from server.api.routes import Route

ROUTES: list[Route] = [
    *routes_accounts.ROUTES,
    *routes_groups.ROUTES,
    *routes_entry.ROUTES,
    *routes_audit.ROUTES,
]
