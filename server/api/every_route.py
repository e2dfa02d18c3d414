"""All routes that the server has."""

from __future__ import annotations

from server.api import (
    routes_accounts,
    routes_audit,
    routes_entry,
    routes_factors,
    routes_formats,
    routes_groups,
    routes_invitations,
    routes_me,
    routes_password_reset,
    routes_sign_in,
    routes_step_up,
)
from server.api.routes import Route

ROUTES: list[Route] = [
    *routes_sign_in.ROUTES,
    *routes_step_up.ROUTES,
    *routes_me.ROUTES,
    *routes_factors.ROUTES,
    *routes_password_reset.ROUTES,
    *routes_invitations.ROUTES,
    *routes_accounts.ROUTES,
    *routes_groups.ROUTES,
    *routes_formats.ROUTES,
    *routes_entry.ROUTES,
    *routes_audit.ROUTES,
]
