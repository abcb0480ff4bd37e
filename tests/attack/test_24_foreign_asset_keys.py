"""Case 24: a location claims another's asset key: rejected, and shown why."""

from __future__ import annotations

from attacked_node import ANNEX, IVO, WARD, WEI, WIM, AttackedNode, until
from dagster import AssetKey


def test_the_claim_is_rejected_although_the_project_silenced_its_own_host(own_site: AttackedNode) -> None:
    """Otherwise one project's results could pass for another's."""
    site = own_site
    code = site.serving.node.code_revisions
    revision = code.submit(WIM, ANNEX)
    code.approve(WEI, ANNEX, revision.commit)
    code.approve(IVO, ANNEX, revision.commit)
    control = site.serving.control

    def shown() -> str:
        workspace = control.workspace.create_request_context()
        entry = workspace.get_code_location_entries().get(ANNEX)
        message = entry.load_error.message if entry and entry.load_error else ""
        return message if "claims" in message else ""

    message = until(shown, 60, "the location is rejected")
    assert "claims assets outside its own prefix 'annex'" in message
    assert "ward/patients" in message
    assert "ward/staff (its check staffed)" in message
    assert "Remedy" in message
    assert site.location(ANNEX) is None
    graph = control.workspace.create_request_context().asset_graph
    owner = graph.get_repository_handle(AssetKey(["ward", "patients"])).location_name
    assert owner == WARD
