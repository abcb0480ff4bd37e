"""Case 17, first form: an approval is replayed for code, or a run, that is one byte different."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attacked_node import ANA, INTRUDER, WARD, AttackedNode, commit, until
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from phems.adapters.git import GitRepos
from phems.domain.audit import Entry
from phems.domain.canonical import canonical, digest
from phems.errors import PhemsError, RefusedError


def change_one_byte(path: Path) -> None:
    """Change a read-only file of the Code Mount, as somebody with the node's rights could."""
    path.chmod(0o644)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"return 1\n", b"return 2\n", 1))
    assert path.read_bytes() != content
    assert len(path.read_bytes()) == len(content)


def test_changed_code_in_the_code_mount_starts_no_host(own_site: AttackedNode) -> None:
    """Otherwise who may write a file on the node could run code that nobody approved."""
    site = own_site
    host = site.serving.control.hosts.current(WARD)
    assert host is not None
    approved = host.plan.code_digest
    change_one_byte(site.data / "code" / WARD / approved / "src" / WARD / "definitions.py")
    host.connection.kill()  # type: ignore[union-attr]
    until(lambda: host.state.value == "FAILED", 20, "the host is refused at its next start")
    assert "is not what was approved" in host.error
    assert "Remedy" in host.error
    (entry,) = [entry for entry in site.refusals("code.verify") if entry.project == WARD]
    assert entry.subject == approved
    run_id = site.launch(INTRUDER, "plain_job")
    assert site.wait(run_id).is_success, "the other project is untouched"


def test_a_changed_commit_is_another_revision(own_site: AttackedNode) -> None:
    """Otherwise an approval would be for a branch, not for what was read."""
    site = own_site
    before = site.location(WARD).code_digest
    repo = site.folder / "repos" / WARD
    change_one_byte(repo / "src" / WARD / "definitions.py")
    commit(repo, "One byte")
    submitted = site.serving.node.code_revisions.submit(ANA, WARD)
    assert submitted.state.value == "SUBMITTED"
    assert submitted.digest != before
    run_id = site.launch(WARD, "count_job")
    assert site.wait(run_id).is_success
    admitted = [e for e in site.audit() if e.action == "run.admit" and e.subject == run_id]
    assert [entry.details["code_digest"] for entry in admitted] == [before]
    with pytest.raises(RefusedError):
        site.serving.node.code_revisions.approve(ANA, WARD, submitted.commit[:12])


def forge(site: AttackedNode, statement: str, **values: object) -> None:
    """What somebody does who has the whole database, and nothing else of the node."""
    engine = create_engine(site.serving.node.database.address("admin"), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # past all triggers
        connection.execute(text(statement), values)


def test_an_approval_copied_to_other_code_by_sql_lets_nothing_run(own_site: AttackedNode) -> None:
    """Otherwise whoever has the database has code run on the patients' data that nobody approved."""
    site = own_site
    node = site.serving.node
    before = node.code_revisions.list(ANA, WARD)[0]
    repo = site.folder / "repos" / WARD
    change_one_byte(repo / "src" / WARD / "definitions.py")
    commit(repo, "One byte")
    evil = node.code_revisions.submit(ANA, WARD)
    # The whole of an approval, signature included, moved to the other code; and the code put in its place.
    forge(
        site,
        "INSERT INTO governance.code_approvals "
        "SELECT project, :evil, turn, approver, at, note, policy_version, key_id, signature "
        "FROM governance.code_approvals WHERE commit = :before AND project = :project",
        evil=evil.commit,
        before=before.commit,
        project=WARD,
    )
    for revision, state in ((before, "REPLACED"), (evil, "APPROVED")):
        forge(
            site,
            "UPDATE governance.code_revisions SET state = :state "
            "WHERE commit = :commit AND project = :project",
            state=state,
            commit=revision.commit,
            project=WARD,
        )
    with GitRepos().files(repo, evil.commit) as files:
        node.code_mount.publish(WARD, evil.digest, files)
    forge(site, "SELECT pg_notify('phems_code', :project)", project=WARD)

    def refusal() -> Entry | None:
        found = [e for e in site.refusals("code.verify") if (e.project, e.subject) == (WARD, evil.digest)]
        return found[0] if found else None

    entry = until(refusal, 20, "the forged code is refused")
    assert "the signature is not over this statement" in entry.details["reason"]
    # It is written down first, and then done.
    until(lambda: WARD not in site.serving.control.hosts.projects(), 20, "the forged code has no host")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("signature = 'AAAA'", "the signature is not over this statement"),
        ("key_id = '', signature = ''", "it is not signed"),
        ("at = at + interval '1 second'", "the signature is not over this statement"),
    ],
)
def test_a_run_of_code_whose_approval_was_changed_is_not_admitted(
    module_site: AttackedNode, change: str, why: str
) -> None:
    """Otherwise an approval is checked once, when it is made, and believed for ever."""
    site = module_site
    undo = "signature = kept.signature, key_id = kept.key_id, at = kept.at"
    forge(site, "CREATE TABLE governance.kept AS SELECT * FROM governance.code_approvals")
    forge(site, f"UPDATE governance.code_approvals SET {change} WHERE project = 'intruder'")  # noqa: S608
    try:
        run_id = site.launch(INTRUDER, "plain_job")
        assert site.wait(run_id).status.value == "FAILURE"
    finally:
        forge(
            site,
            f"UPDATE governance.code_approvals AS it SET {undo} FROM governance.kept "  # noqa: S608
            "WHERE (it.project, it.commit, it.approver) = (kept.project, kept.commit, kept.approver)",
        )
        forge(site, "DROP TABLE governance.kept")
    assert why in site.log(run_id)
    assert "phems code approve" in site.log(run_id)
    assert "PIPELINE_START" not in site.event_types(run_id)
    assert [entry for entry in site.refusals("run.admit") if entry.subject == run_id]
    again = site.launch(INTRUDER, "plain_job")
    assert site.wait(again).is_success, "with the approval as it was made"


def test_rules_loosened_by_sql_let_no_forged_approval_count(own_site: AttackedNode) -> None:
    """Otherwise whoever has the database says first that approvals need no signature."""
    site = own_site
    node = site.serving.node
    version = node.policies.in_force()[INTRUDER]
    policy = {**version.content["policy"], "signatures": "optional"}
    loosened = {**version.content, "policy": policy}
    forge(
        site,
        "UPDATE governance.policy_versions SET content = :content, digest = :digest "
        "WHERE scope = :scope AND number = :number",
        content=canonical(loosened).decode(),
        digest=digest(loosened),
        scope=INTRUDER,
        number=version.number,
    )
    forge(site, "UPDATE governance.code_approvals SET key_id = '', signature = '' WHERE project = 'intruder'")
    node.follow_policies()
    assert node.spec.policy_of(INTRUDER).signatures == "optional", "the forged rules are those in force"
    run_id = site.launch(INTRUDER, "plain_job")
    assert site.wait(run_id).status.value == "FAILURE"
    assert "it is not signed" in site.log(run_id)
    assert "PIPELINE_START" not in site.event_types(run_id)


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("configuration", {"run_config": {"ops": {"count": {"config": {"x": 1}}}}}),
        ("job", {"job_name": "waiting_job"}),
        ("selection", {"step_keys_to_execute": ["count", "another"]}),
    ],
)
def test_a_run_changed_after_it_was_asked_for(
    own_waiting_site: AttackedNode, what: str, change: dict[str, object]
) -> None:
    """Otherwise what runs would not be what somebody asked for and answers for."""
    site = own_waiting_site
    run_id = site.launch(WARD, "count_job")  # waits: the ward runs one at a time, and one is running
    body = json.loads(site.sql("SELECT run_body FROM runs WHERE run_id = :run", run=run_id)[0][0])
    field = {"job_name": "pipeline_name"}
    for name, value in change.items():
        key = field.get(name, name)
        assert key in body, sorted(body)
        body[key] = value
    site.sql("UPDATE runs SET run_body = :body WHERE run_id = :run", run=run_id, body=json.dumps(body))
    (site.data / "artifacts" / WARD / "go").touch()
    assert site.wait(run_id).status.value == "FAILURE"
    (site.data / "artifacts" / WARD / "go").unlink()
    assert "is not the run that was asked for" in site.log(run_id), what
    assert "PIPELINE_START" not in site.event_types(run_id)
    assert [entry for entry in site.refusals("run.admit") if entry.subject == run_id]


def test_code_that_is_no_longer_in_the_mount_says_so(own_site: AttackedNode) -> None:
    """Otherwise a lost disk would look like a hang."""
    mount = own_site.serving.node.code_mount
    with pytest.raises(PhemsError, match="not in the Code Mount"):
        mount.verify(WARD, "0" * 64)
