"""Projects, their runs, run capsules and policy versions, as their people see them in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

import pytest
import yaml
from dagster import DagsterEvent, DagsterEventType, DagsterRun, EventLogEntry
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage
from tests.integration.api.api_site import OTHER, PROJECT
from tests.integration.site.browsed_site import BrowsedSite

from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.domain.canonical import digest
from phems.domain.capsules import CodeFacts, GrantedData, RunFacts, capsule_document
from phems.engine.tags import PROJECT_TAG, REQUESTER_TAG
from phems.nodespec import load_node
from phems.services.ports.runs import CapsuleDocument, RunAdmission, RunSubmission

RUN = "0f0e0d0c-1111-4222-8333-444455556666"
HOSTILE = "<script>alert(1)</script>"


class Engine:
    """Dagster's storage, as a node that has served has it."""

    def __init__(self, url: str) -> None:
        self.runs = PostgresRunStorage.create_clean_storage(url)
        self.events = PostgresEventLogStorage(url)

    def ran(self, run_id: str, project: str = PROJECT, *, by: str = "ana", job: str = "survival") -> None:
        tags = {PROJECT_TAG: project, REQUESTER_TAG: by}
        self.runs.add_run(DagsterRun(job_name=job, run_id=run_id, tags=tags))

    def failed(self, run_id: str, message: str) -> None:
        event = DagsterEvent(DagsterEventType.RUN_FAILURE.value, "survival", message=message)
        self.runs.handle_run_event(run_id, event)
        self.events.store_event(
            EventLogEntry(None, 40, "", run_id, 0.0, job_name="survival", dagster_event=event)
        )


@pytest.fixture
def engine(site: BrowsedSite) -> Iterator[Engine]:
    """The engine's records of the site."""
    engine = Engine(site.database.url("dagster"))
    yield engine
    engine.events.dispose()
    engine.runs.dispose()


def admitted(site: BrowsedSite, run_id: str = RUN) -> str:
    """A run that was asked for and let through; gives its capsule."""
    facts = RunFacts(run_id, PROJECT, HOSTILE, "plan", '{"ops": {"n": 3}}', ("step",))
    data = {"patients": GrantedData("csv sources/patients.csv", "sha256:" + "a" * 64)}
    document = capsule_document(facts, CodeFacts("d" * 64, None), data, policy_version="1:abc")
    capsule, now = digest(document), site.node.clock.now()
    with site.node.governance.transaction() as work:
        asked = RunSubmission(run_id, PROJECT, "ana", "d" * 64, "0" * 64, ("patients",), now, capsule)
        work.runs.add_submission(asked)
        work.runs.add_admission(RunAdmission(run_id, PROJECT, "d" * 64, capsule, now), document)
    return capsule


def waiting_capsule(site: BrowsedSite) -> str:
    """A capsule that a run of Ana's was refused for."""
    facts = RunFacts("run-9", PROJECT, "survival", "plan", "{}", ())
    document = capsule_document(facts, CodeFacts("d" * 64, None), {}, policy_version="1:abc")
    with site.node.governance.transaction() as work:
        capsule = CapsuleDocument(digest(document), PROJECT, document)
        site.node.capsules.ask(work, capsule, requester=Actor("ana"))
    return capsule.digest


def test_people_see_the_projects_that_they_have_a_role_in(site: BrowsedSite) -> None:
    """Otherwise a project's name would tell what is studied."""
    assert "heart-attack" in site.browser("ana").words("/projects")
    assert OTHER not in site.browser("ana").get("/projects").text
    assert site.browser("ana").get(f"/projects/{OTHER}").status_code == 404
    missing = site.browser("ana").get("/projects/no-such").text.replace("no-such", OTHER)
    assert missing == site.browser("ana").get(f"/projects/{OTHER}").text


def test_a_project_says_its_people_and_rules_in_words(site: BrowsedSite) -> None:
    """Otherwise people ask around who may approve, and what a small cell is."""
    words = site.browser("ana").words(f"/projects/{PROJECT}")
    assert "Information Asset Owner iris, ivo" in words
    assert "2 Output Checkers vote on each file" in words
    assert "A count below 10 fails." in words
    assert "No code revision is approved: nothing can run." in words


def test_runs_come_page_by_page_and_of_one_project(site: BrowsedSite, engine: Engine) -> None:
    """Otherwise a project with many runs could not be read, or another's would be."""
    for number in range(60):
        engine.ran(f"run-{number:02}-aaaa")
    engine.ran("foreign-run", OTHER, by="ben")
    first = site.browser("ana").get(f"/projects/{PROJECT}/runs").text
    assert "run-59-a" in first
    assert "run-09-a" not in first
    assert "foreign" not in first
    older = first.split("/runs?before=")[1].split('"')[0]
    assert "run-09-a" in site.browser("ana").get(f"/projects/{PROJECT}/runs?before={older}").text
    assert site.browser("ana").get(f"/projects/{PROJECT}/runs?before=x").status_code == 400
    assert site.browser("ana").get(f"/projects/{PROJECT}/runs/foreign-run").status_code == 404
    page = site.get("ana", f"/projects/{PROJECT}/runs?limit=50").json()
    rest = site.get("ana", f"/projects/{PROJECT}/runs?cursor={page['next_cursor']}").json()
    assert len(page["items"]) + len(rest["items"]) == 60


def test_a_run_says_what_it_is_and_what_it_wrote(site: BrowsedSite, engine: Engine) -> None:
    """Otherwise who looks cannot tell on what a result rests."""
    engine.ran(RUN)
    admitted(site)
    site.wrote("table.csv", b"a,b\n1,2\n", RUN)
    page = site.browser("ana").get(f"/projects/{PROJECT}/runs/{RUN}")
    assert "table.csv" in page.text
    assert "patients: csv sources/patients.csv" in page.text
    assert f'href="/runs/{RUN}"' in page.text
    assert HOSTILE not in page.text
    assert "Ask for a release" in page.text
    assert "Ask for a release" not in site.browser("omar").get(f"/projects/{PROJECT}/runs/{RUN}").text
    assert "table.csv" not in site.browser("olga").get(f"/projects/{PROJECT}/runs/{RUN}").text


def test_a_refused_run_says_why(site: BrowsedSite, engine: Engine) -> None:
    """Otherwise its author starts it again and again."""
    engine.ran(RUN)
    engine.failed(RUN, "Refused: The code of heart-attack is not approved.")
    assert "The code of heart-attack is not approved." in site.browser("ana").words(
        f"/projects/{PROJECT}/runs/{RUN}"
    )
    assert f"/projects/{PROJECT}/runs/{RUN}" in site.browser("ana").get("/").text


def test_a_release_is_asked_for_from_a_run(site: BrowsedSite) -> None:
    """Otherwise an author needs the command line to ask."""
    released = site.wrote("table.csv", b"sex,patients\nf,120\nm,140\n", RUN)
    shown = site.wrote("counts.csv", b"sex,patients\nf,1200\nm,1400\n", RUN)
    browser, path = site.browser("ana"), f"/projects/{PROJECT}/runs/{RUN}/release"
    assert "table.csv" in browser.get(path).text
    fields = {
        "groups": "1",
        "path-0": released,
        "place-0": "release:1",
        "path-1": shown,
        "place-1": "show:1",
        "context-1": "Patients by sex",
        "controls-1": "",
    }
    refused = browser.send(path, "request", **fields)
    assert refused.status_code == 400
    assert "Patients by sex" in refused.text
    assert "has no controls" in refused.text
    more = browser.send(path, "more", **fields)
    assert "File group 2" in more.text
    assert "Patients by sex" in more.text
    asked = browser.send(path, "request", **{**fields, "controls-1": "No count below ten"})
    assert asked.status_code == 200
    [request] = site.get("ana", f"/projects/{PROJECT}/release-requests").json()["items"]
    assert asked.url.path == f"/releases/{request['id']}"
    found = site.get("ana", f"/release-requests/{request['id']}").json()
    assert {file["path"]: file["kind"] for file in found["files"]} == {
        released: "output",
        shown: "supporting",
    }


def test_files_go_into_several_groups(site: BrowsedSite) -> None:
    one = site.wrote("one.csv", b"sex,patients\nf,120\n", RUN)
    two = site.wrote("two.csv", b"sex,patients\nf,140\n", RUN)
    fields = {"groups": "2", "path-0": one, "place-0": "release:1", "path-1": two, "place-1": "release:2"}
    texts = {f"{name}-{number}": f"{name} {number}" for name in ("context", "controls") for number in (1, 2)}
    names = {"name-1": "first", "name-2": "second"}
    path = f"/projects/{PROJECT}/runs/{RUN}/release"
    asked = site.browser("ana").send(path, "request", **fields, **texts, **names)
    assert asked.status_code == 200, asked.text
    [request] = site.get("ana", f"/projects/{PROJECT}/release-requests").json()["items"]
    found = site.get("ana", f"/release-requests/{request['id']}").json()
    assert [group["name"] for group in found["groups"]] == ["first", "second"]


def test_an_author_sees_what_the_checks_find_before_asking(site: BrowsedSite) -> None:
    """Otherwise the first to see a leak would be the checkers."""
    path = site.wrote("contacts.csv", b"name,email\nAda,ada@example.org\n", RUN)
    form = f"/projects/{PROJECT}/runs/{RUN}/release"
    fields = {"groups": "1", "path-0": path, "place-0": "release:1", "context-1": "Contacts"}
    found = site.browser("ana").send(form, "check", **fields)
    assert "What the output checks found" in found.text
    assert "fail" in found.text
    assert "Contacts" in found.text
    assert site.get("ana", f"/projects/{PROJECT}/release-requests").json()["items"] == []
    assert site.browser("ana").send(form, "check", groups="1").status_code == 400


def test_only_analysts_ask_and_only_for_outputs_that_there_are(site: BrowsedSite) -> None:
    site.wrote("table.csv", b"a\n1\n", RUN)
    form = f"/projects/{PROJECT}/runs/{RUN}/release"
    assert site.browser("omar").get(form).status_code == 403
    assert site.browser("ben").get(form).status_code == 404
    assert site.browser("ana").get(f"/projects/{PROJECT}/runs/none/release").status_code == 404
    foreign = site.wrote("foreign.csv", b"a\n1\n", "run-2", OTHER)
    fields = {"groups": "1", "path-0": foreign, "place-0": "release:1", "context-1": "c", "controls-1": "c"}
    assert site.browser("ana").send(form, "request", **fields).status_code == 400


def test_an_owner_decides_on_a_run_capsule(site: BrowsedSite) -> None:
    """Otherwise approving a run needs the command line."""
    capsule = waiting_capsule(site)
    site.node.approver_keys.make(LOCAL_OPERATOR, "iris")
    path = f"/projects/{PROJECT}/capsules/{capsule}"
    assert capsule[:12] in site.browser("ana").get(f"/projects/{PROJECT}/capsules").text
    assert "Approve" not in site.browser("ana").words(path)
    refused = site.browser("iris").send(path, "reject", **{"reject-reason": ""})
    assert refused.status_code == 400
    rejected = site.browser("iris").send(path, "reject", **{"reject-reason": "Not this cohort"})
    assert "You rejected the run capsule." in rejected.text
    assert "Not this cohort" in site.browser("ana").words(path)
    assert site.browser("ana").send(path, "approve", times="1").status_code == 403
    assert site.browser("iris").send(path, "approve", times="many").status_code == 400
    approved = site.browser("iris").send(path, "approve", times="3", days="7")
    assert "You approved the run capsule." in approved.text
    assert "0 of 3 used" in site.browser("ana").words(path)
    assert "is approved: launch the run again" in site.browser("ana").words("/")
    site.browser("ivo").send(path, "revoke", **{"revoke-reason": "The cohort was wrong"})
    assert "The cohort was wrong" in site.browser("ana").words(path)
    assert site.browser("ben").get(path).status_code == 404


def test_a_policy_version_shows_what_it_loosens_to_who_may_confirm_it(site: BrowsedSite) -> None:
    """Otherwise a second person would confirm what they have not seen."""
    file = site.folder / "node.yaml"
    site.node.take_up(LOCAL_OPERATOR, load_node(site.folder))
    spec = yaml.safe_load(file.read_text())
    spec["data_sources"] = {"patients": {"path": "patients.csv", "format": "csv"}}
    spec["projects"][PROJECT]["data_grants"] = [{"source": "patients"}]
    (site.folder / "patients.csv").write_text(dedent("a\n1\n"))
    file.write_text(yaml.safe_dump(spec))
    site.node.take_up(Actor("olga"), load_node(site.folder))
    [waiting] = [each for each in site.node.policies.waiting() if each.scope == PROJECT]
    path = f"/policies/{PROJECT}/{waiting.number}"
    assert f"Policy version {waiting.number} of heart-attack loosens a rule" in site.browser("iris").words(
        "/"
    )
    assert path in site.browser("iris").get("/").text
    words = site.browser("iris").words(path)
    assert "It loosens 1 rule" in words
    assert "Data grants: patients" in words
    assert "Confirm it" in words
    assert "Confirm it" not in site.browser("olga").words(path)
    assert site.browser("olga").send(path, "approve").status_code == 403
    assert site.browser("iris").send(path, "reject", reason="No purpose given").status_code == 200
    assert "No purpose given" in site.browser("ana").words(path)
    assert "Version 1 is in force" in site.browser("ana").words("/policies")
    assert site.browser("ana").get(f"/policies/{OTHER}").status_code == 404
    assert site.browser("ana").get(f"/policies/{PROJECT}/99").status_code == 404
    assert site.browser("ana").get(f"/policies/{PROJECT}/x").status_code == 404
    assert site.browser("ana").get("/policies/-").status_code == 200
