"""What a package says of a release: all that a receiver needs, and nothing that did not leave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement as OfficialStatement
from tests.package_facts import BARE, FACTS, KEPT, KM, MODEL, NOW, REPORT, REQUEST

from phems.domain.canonical import canonical, parse, sha256
from phems.domain.lineage import lineage_of
from phems.domain.output_checks import CheckReport, Finding, Verdict
from phems.domain.package_checks import checks_of
from phems.domain.provenance import (
    PAYLOAD_TYPE,
    RELEASE,
    REVOCATION,
    read_statement,
    release_statement,
    revocation_statement,
)
from phems.domain.release_facts import NodeIdentity, RunProvenance, RunTimes
from phems.domain.release_outbox import OutboxEvent, PackageEvent, cursor_of, number_of
from phems.domain.release_packages import (
    ATTESTATION,
    NOTICE,
    manifest_of,
    package_paths,
    released_digests,
    revocation_notice,
)
from phems.domain.release_states import ReleaseAction, ReleaseState
from phems.domain.releases import RunOrigin, acted
from phems.domain.ro_crate import crate_of
from phems.errors import InputError, IntegrityError

DIGESTS = {"manifest.json": "0" * 64}
PLACE = package_paths(FACTS.files)[KM]


def read(content: bytes) -> Any:
    return json.loads(content)


def said(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from said(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from said(inner)
    elif isinstance(value, str):
        yield value


def test_files_of_several_runs_do_not_overwrite_each_other() -> None:
    """Otherwise two runs' table.csv are one file in the package."""
    assert package_paths(FACTS.files) == {
        KM: f"files/{KM.split('/')[1]}/km table.csv",
        MODEL: "files/run-2/model.json",
    }
    assert package_paths(FACTS.files[:1]) == {KM: "files/km table.csv"}


def test_the_manifest_tells_what_left_and_who_decided() -> None:
    """Otherwise a receiver cannot hold anybody to account."""
    manifest = read(manifest_of(FACTS))
    assert {file["path"]: file["sha256"] for file in manifest["files"]} == released_digests(REQUEST)
    assert manifest["files_withheld"] == 1
    assert manifest["policy"]["version"] == "3:aaaaaaaaaaaa"
    votes = manifest["files"][0]["votes"]
    assert [(vote["checker"], vote["vote"]) for vote in votes] == [
        ("cara", "APPROVED"),
        ("chris", "APPROVED"),
    ]
    assert votes[0]["signature"] == {"key_id": "0123456789abcdef", "signature": "c2ln"}
    assert votes[1]["justification"] == "The check misreads the header"
    assert manifest["approved_by"] == "cara"
    assert read(manifest_of(replace(FACTS, request=replace(REQUEST, decided_at=None))))["approved_at"] is None


@pytest.mark.parametrize("part", [manifest_of, crate_of, checks_of, lineage_of])
def test_nothing_of_what_stayed_is_told(part: Any) -> None:
    """Otherwise a file's name, a sensor's name or a finding leaves that nobody let go."""
    content = part(FACTS)
    for word in (b"kept.csv", b"secret_name", b"rr-zzzzzzzz", b"a cell is 3", b'"cells"', KEPT.encode()):
        assert word not in content


@pytest.mark.parametrize("part", [manifest_of, crate_of, checks_of])
def test_parts_are_canonical_so_that_they_can_be_made_again(part: Any) -> None:
    """Otherwise a package that is completed after a crash is another one than was signed."""
    assert canonical(parse(part(FACTS))) == part(FACTS) == part(replace(FACTS))


def test_checks_show_what_was_found_of_released_files() -> None:
    """Otherwise a receiver cannot see what a machine looked at, or sees what a machine found amiss."""
    checks = read(checks_of(FACTS))
    verdicts = [(found["check"], found["path"], found["verdict"]) for found in checks["findings"]]
    assert verdicts == [
        ("file-type", PLACE, "pass"),
        ("small-cells", PLACE, "fail"),
        ("differencing", "files/run-2/model.json", "pass"),
        ("differencing", None, "pass"),
        ("links", None, "pass"),
    ]
    withheld = [found.get("evidence_withheld", False) for found in checks["findings"]]
    assert withheld == [False, True, True, False, True]
    assert checks["findings"][0]["evidence"] == {"type": "text/csv"}
    assert (checks["checked"], checks["findings_withheld"], checks["tools"]) == (True, 1, REPORT.tools)
    assert read(checks_of(BARE)) == read(checks_of(BARE)) | {"checked": False, "findings": [], "tools": {}}


def test_evidence_of_this_request_and_of_numbers_leaves() -> None:
    """Otherwise every piece of evidence is withheld, and a receiver sees none."""
    finding = Finding("rows", "1.0", KM, Verdict.PASS, "in rr-abcdefgh", {"rows": [1, 2.5, None, True]})
    report = CheckReport((finding,), {})
    assert read(checks_of(replace(FACTS, report=report)))["findings"][0]["evidence"] == finding.evidence


def test_the_statement_is_an_in_toto_statement() -> None:
    """Otherwise the tools of that world cannot read what the node signed."""
    content = release_statement(FACTS, DIGESTS)
    official = json_format.Parse(content, statement_pb2.Statement())
    OfficialStatement.copy_from_pb(official).validate()
    assert official.predicate_type == RELEASE
    assert PAYLOAD_TYPE == "application/vnd.in-toto+json"
    statement = read_statement(content, RELEASE)
    assert statement.subjects == DIGESTS
    decisions = statement.predicate["decisions"]
    assert [(found["path"], found["decision"]) for found in decisions] == [
        (PLACE, "APPROVED"),
        ("files/run-2/model.json", "APPROVED"),
    ]
    assert statement.predicate["runs"][0]["capsule"] == "e" * 64
    assert statement.predicate["runs"][1]["launched_by"] == "sensor"
    undecided = release_statement(replace(FACTS, request=replace(REQUEST, decided_at=None)), DIGESTS)
    assert read_statement(undecided, RELEASE).predicate["approved_at"] is None


@pytest.mark.parametrize(
    "content",
    [
        b"no json",
        b"[]",
        b"{}",
        canonical({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": RELEASE, "subject": []}),
        release_statement(FACTS, DIGESTS).replace(RELEASE.encode(), b"urn:other"),
        release_statement(FACTS, {"a": "0" * 63}),
        release_statement(FACTS, {"a": "0" * 64, "b": "0" * 64}).replace(b'"name":"b"', b'"name":"a"'),
        canonical({**parse(release_statement(FACTS, DIGESTS)), "predicate": []}),
    ],
)
def test_what_is_no_statement_about_a_release_is_refused(content: bytes) -> None:
    """Otherwise a signature over something else passes for one over a package."""
    with pytest.raises(IntegrityError, match="no in-toto statement"):
        read_statement(content, RELEASE)


def test_a_revocation_is_about_one_package() -> None:
    """Otherwise a notice can be moved into another package, or loses its reason."""
    released = acted(REQUEST, ReleaseAction.RELEASE, by="publisher", at=NOW)
    revoked = acted(released, ReleaseAction.REVOKE, by="ida", at=NOW, reason="A patient objected")
    notice = revocation_notice(revoked)
    assert read(notice)["reason"] == "A patient objected"
    statement = read_statement(revocation_statement(revoked, notice, b"sealed"), REVOCATION)
    assert statement.subjects == {NOTICE: sha256(notice), ATTESTATION: sha256(b"sealed")}
    assert statement.predicate["revoked_by"] == "ida"
    timeless = replace(revoked, decided_at=None)
    assert read(revocation_notice(timeless))["revoked_at"] is None
    again = read_statement(revocation_statement(timeless, notice, b""), REVOCATION)
    assert again.predicate["revoked_at"] is None


def test_a_run_tells_how_it_began_and_ended() -> None:
    """Otherwise lineage shows runs that never end, or that ended well and did not."""
    events = [read(line) for line in lineage_of(FACTS).splitlines()]
    assert [(event["eventType"], event["eventTime"][11:19]) for event in events] == [
        ("START", "08:00:00"),
        ("COMPLETE", "09:00:00"),
        ("START", "07:00:00"),
    ]
    first = FACTS.runs[0]
    for status, kind in (("FAILURE", "FAIL"), ("CANCELED", "ABORT"), ("STARTED", "OTHER")):
        ended = replace(first, times=RunTimes(status, None, NOW))
        kinds = [read(line)["eventType"] for line in lineage_of(replace(FACTS, runs=(ended,))).splitlines()]
        assert kinds == ["START", kind]
    unknown = RunProvenance(first.origin)
    [event] = lineage_of(replace(FACTS, runs=(unknown,))).splitlines()
    assert read(event)["eventTime"].startswith("2026-11-20T10:00:00")


def test_the_crate_keeps_check_decision_and_release_apart() -> None:
    """Otherwise a machine's finding is read as a person's decision, and a decision as a release."""
    graph = {entity["@id"]: entity for entity in read(crate_of(FACTS))["@graph"]}
    actions = [graph[found["@id"]] for found in graph["./"]["mentions"]]
    kinds = [(action["@type"], action["@id"].split("-")[0]) for action in actions]
    assert kinds == [
        *[("CreateAction", "#run")] * 2,
        *[("AssessAction", "#check")] * 5,
        *[("AssessAction", "#vote")] * 4,
        *[("AuthorizeAction", "#decision")] * 2,
        ("AssessAction", "#integrity"),
        ("SendAction", "#release"),
    ]
    by_id = {action["@id"]: action for action in actions}
    assert by_id["#check-1"]["agent"] == {"@id": "#phems-node"}
    assert by_id["#check-2"]["actionStatus"] == "http://schema.org/FailedActionStatus"
    assert by_id["#vote-1"]["agent"] == {"@id": "#person-cara"}
    assert by_id["#decision-1"]["agent"] == [{"@id": "#person-cara"}, {"@id": "#person-chris"}]
    assert graph["#person-chris"]["@type"] == "Person"
    assert by_id["#vote-2"]["description"] == "The check misreads the header"
    assert by_id["#release"]["agent"] == {"@id": "#controller"}
    assert all(action["additionalType"]["@id"] in graph for action in actions if "additionalType" in action)


def test_every_reference_of_the_crate_leads_to_an_entity() -> None:
    """Otherwise a reader of the crate follows a link to nothing."""
    for facts in (FACTS, BARE, replace(FACTS, request=replace(REQUEST, groups=(), decided_at=None))):
        graph = read(crate_of(facts))["@graph"]
        known = {entity["@id"] for entity in graph}
        assert len(known) == len(graph)
        outside = {"https://w3id.org/ro/crate/1.3"}
        assert {found for entity in graph for found in references(entity)} <= known | outside


def references(value: Any) -> Iterator[str]:
    """The identifiers that an entity refers to."""
    if isinstance(value, dict):
        if value.keys() == {"@id"}:
            yield value["@id"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_code_and_launchers_that_are_not_known_are_not_invented() -> None:
    """Otherwise a run that nobody remembers is told of as if somebody did."""
    unknown = replace(FACTS, runs=(RunProvenance(RunOrigin(FACTS.runs[0].origin.run_id)),))
    graph = {entity["@id"]: entity for entity in read(crate_of(unknown))["@graph"]}
    run = next(entity for entity in graph.values() if entity["@type"] == "CreateAction")
    assert run["instrument"] == {"@id": "#code-unknown"}
    assert run["agent"] == {"@id": "#node"}
    assert not {"startTime", "endTime", "identifier", "object"} & run.keys()
    failed = replace(FACTS.runs[0], times=RunTimes("FAILURE", NOW - timedelta(hours=1), NOW))
    graph = {entity["@id"]: entity for entity in read(crate_of(replace(FACTS, runs=(failed,))))["@graph"]}
    run = next(entity for entity in graph.values() if entity["@type"] == "CreateAction")
    assert run["actionStatus"] == "http://schema.org/FailedActionStatus"


def test_an_identity_is_what_the_node_says_of_itself() -> None:
    """Otherwise a package names another node or software version."""
    manifest = read(manifest_of(replace(FACTS, node=NodeIdentity("n", "c", "9"))))
    assert (manifest["node"], manifest["controller"], manifest["tool"]["version"]) == ("n", "c", "9")


def test_an_event_is_open_until_its_package_is_revoked() -> None:
    """Otherwise a coordinator goes on using what was called back."""
    event = OutboxEvent(
        1, REQUEST.id, REQUEST.project, PackageEvent.RELEASED, NOW, ReleaseState.RELEASED, "0" * 64, NOW
    )
    assert event.is_open
    assert not replace(event, state=ReleaseState.REVOKED).is_open
    assert not replace(event, event=PackageEvent.REVOKED).is_open


def test_cursors_are_numbers_and_nothing_else() -> None:
    """Otherwise a mistyped cursor starts from the beginning, or breaks the query."""
    assert number_of(None) == 0
    assert number_of(cursor_of(12)) == 12
    for wrong in ("", "-1", "1 OR 1=1", "²", "9" * 19):
        with pytest.raises(InputError, match="cursor"):
            number_of(wrong)
