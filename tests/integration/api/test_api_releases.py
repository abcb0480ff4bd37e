"""Releases through the API alone: from a run's outputs to a package in a coordinator's hands."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any

import pytest
from tests.integration.api.api_site import HUB, OTHER, PROJECT, ApiSite
from tests.integration.api.stories import TABLE, asked, released, voted


def members(package: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_what_was_asked_for_and_voted_on_reaches_the_coordinator_byte_for_byte(site: ApiSite) -> None:
    """The main road of a federation: otherwise nothing arrives, or something else does."""
    request = released(site, text=TABLE)
    assert request["state"] == "RELEASED"
    page = site.get(HUB, "/releases").json()
    [line] = page["items"]
    assert (line["request"], line["project"], line["state"]) == (request["id"], PROJECT, "RELEASED")
    answer = site.get(HUB, f"/releases/{request['id']}/package")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert len(answer.content) == int(answer.headers["Content-Length"])
    files = members(answer.content)
    manifest = files[f"{request['id']}/manifest.json"]
    assert hashlib.sha256(manifest).hexdigest() == line["manifest_digest"]
    assert TABLE in files.values()
    assert json.loads(manifest)
    # The same bytes each time: a coordinator can compare what two of its computers fetched.
    assert site.get(HUB, f"/releases/{request['id']}/package").content == answer.content
    assert site.get("ana", f"/release-requests/{request['id']}/package").content == answer.content
    delivered = [entry for entry in site.entries() if entry.action == "release.deliver"]
    assert [entry.actor for entry in delivered] == [f"coordinator:{HUB}"] * 2
    assert site.get(HUB, "/releases", params={"cursor": page["next_cursor"]}).json()["items"] == []


def test_a_coordinator_sees_nothing_that_is_not_released_or_not_its_own(site: ApiSite) -> None:
    """Asked for, half voted on, returned or revoked: none of it exists for who is not of the hospital."""
    request = asked(site)
    voted(site, "omar", request)
    assert site.get(HUB, "/releases").json()["items"] == []
    for name in (request["id"], "rr-aaaaaaaa", "../../keys", "."):
        answer = site.get(HUB, f"/releases/{name}/package")
        assert answer.status_code in {403, 404}
        assert "omar" not in answer.text
    voted(site, "oda", request)
    assert site.get(HUB, f"/releases/{request['id']}/package").status_code == 404
    site.node.publisher.publish_approved()
    assert site.get(HUB, f"/releases/{request['id']}/package").status_code == 200
    site.node.spec.projects[PROJECT].members.__dict__["coordinator"] = ()
    site.node.spec.projects[OTHER].members.__dict__["coordinator"] = (HUB,)
    assert site.get(HUB, "/releases").json()["items"] == []
    assert site.get(HUB, f"/releases/{request['id']}/package").status_code == 404


def test_a_coordinator_is_told_of_a_revocation_and_gets_the_package_no_more(site: ApiSite) -> None:
    """Otherwise what was released by mistake is used for as long as nobody calls."""
    request = released(site)
    seen = site.get(HUB, "/releases").json()["next_cursor"]
    reason = {"reason": "a count was wrong"}
    assert site.post("iris", f"/release-requests/{request['id']}/revoke", reason).status_code == 200
    assert site.get(HUB, f"/releases/{request['id']}/package").status_code == 404
    site.node.publisher.publish_approved()
    lines = site.get(HUB, "/releases", params={"cursor": seen}).json()["items"]
    assert [(line["request"], line["state"]) for line in lines] == [(request["id"], "REVOKED")]
    assert "a count was wrong" not in json.dumps(lines)


def test_people_do_not_read_the_outbox(site: ApiSite) -> None:
    for who in ("ana", "olga", "aud", "iris"):
        assert site.get(who, "/releases").status_code == 403


def test_a_frozen_file_comes_as_an_attachment_that_no_browser_runs(site: ApiSite) -> None:
    """A file that a step wrote is hostile: opened in the node's own origin it would act as its reader."""
    site.wrote("a note.txt", b"Nothing to see here.\n", "run-2")
    body = {"run": "run-2", "groups": [{"context": "A note", "controls": "None needed"}]}
    request = site.post("ana", f"/projects/{PROJECT}/release-requests", body).json()
    path = request["files"][0]["path"]
    answer = site.get("omar", f"/release-requests/{request['id']}/file", params={"path": path})
    assert answer.content == b"Nothing to see here.\n"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="a_note.txt"')
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "html" not in answer.headers["Content-Type"]
    [view] = [entry for entry in site.entries() if entry.action == "release.view"]
    assert view.actor == "omar"
    for who in ("ben", "nobody", "aud", "olga"):
        found = site.get(who, f"/release-requests/{request['id']}/file", params={"path": path})
        assert found.status_code == 404, who


def test_a_vote_on_an_earlier_turn_is_not_counted_on_files_that_nobody_saw(site: ApiSite) -> None:
    """A checker who voted on what lay on the desk yesterday has not seen what was put there this morning."""
    request = asked(site)
    back = {"turn": 1, "reason": "Round the counts"}
    assert site.post("omar", f"/release-requests/{request['id']}/return", back).status_code == 200
    site.wrote("table.csv", b"sex,patients\nf,120\nm,140\nx,1\n", "run-3")
    body = {"run": "run-3", "groups": [{"context": "Again", "controls": "Rounded"}]}
    again = site.post("ana", f"/release-requests/{request['id']}/resubmit", body)
    assert again.json()["turn"] == 2
    late = voted(site, "oda", request)
    assert (late.status_code, late.json()["kind"]) == (412, "refused")
    assert site.get("oda", f"/release-requests/{request['id']}").json()["state"] == "SUBMITTED"


def test_an_act_on_what_has_changed_since_is_refused(site: ApiSite) -> None:
    """Two people who decide at once: the second decides on what is no longer there."""
    request = asked(site)
    path = f"/release-requests/{request['id']}"
    seen = site.get("ana", path).headers["ETag"]
    assert site.post("ana", f"{path}/comment", {"text": "One more thing"}).status_code == 200
    stale = site.post("ana", f"{path}/withdraw", headers={"If-Match": seen})
    assert stale.status_code == 412
    fresh = site.get("ana", path).headers["ETag"]
    assert site.post("ana", f"{path}/withdraw", headers={"If-Match": fresh}).json()["state"] == "WITHDRAWN"


def test_another_projects_request_looks_like_one_that_is_not_there(site: ApiSite) -> None:
    """Attack case 8: who learns that a request exists learns something."""
    request = asked(site)

    def told(answer: Any) -> Any:
        return answer.status_code, answer.json()["what"].replace(request["id"], "rr-aaaaaaaa")

    for path in ("", "/history", "/package"):
        there = site.get("ben", f"/release-requests/{request['id']}{path}")
        nowhere = site.get("ben", f"/release-requests/rr-aaaaaaaa{path}")
        assert told(there) == told(nowhere)


@pytest.mark.parametrize("limit", [1, 2])
def test_a_list_comes_in_pages_without_gap_or_repetition(site: ApiSite, limit: int) -> None:
    """Otherwise a script that reads all requests misses one, and nobody notices."""
    made = [asked(site, run=f"run-{number}")["id"] for number in range(4)]
    path = f"/projects/{PROJECT}/release-requests"
    seen, cursor = [], None
    for _ in range(10):
        found = site.get(
            "ana", path, params={"limit": limit, **({"cursor": cursor} if cursor else {})}
        ).json()
        seen += [row["id"] for row in found["items"]]
        cursor = found["next_cursor"]
        if cursor is None:
            break
        asked_meanwhile = len(made) < 5
        if asked_meanwhile:
            made.append(asked(site, run="run-meanwhile")["id"])
    assert seen == list(reversed(made[:4]))
    assert site.get("ana", path, params={"cursor": "bogus!"}).status_code == 400
