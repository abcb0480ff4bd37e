"""The site put together: the pages of each subject as routes of the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from phems.gateway.settings import GatewaySettings
from phems.gateway.site import (
    audit,
    capsules,
    code_review,
    health,
    home,
    lineage,
    people,
    permissions,
    policies,
    projects,
    release_ask,
    release_file,
    releases,
    runs,
)

if TYPE_CHECKING:
    from phems.gateway.api.use_cases import UseCases

SUBJECTS = (
    home,
    projects,
    runs,
    lineage,
    release_ask,
    releases,
    release_file,
    code_review,
    capsules,
    policies,
    audit,
    health,
    people,
    permissions,
)


def site_routes(cases: UseCases, settings: GatewaySettings) -> list[Route]:
    """Every page. The first route that fits wins: fixed paths stand before those with names in them."""
    return [page.route(cases, settings) for subject in SUBJECTS for page in subject.PAGES]
