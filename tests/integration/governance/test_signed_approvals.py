"""Approvals are signed, and what does not verify lets nothing run."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from tests.integration.governance.governed_site import ANA, IDA, IVO, PROJECT, CodeRepo, Site

from phems.adapters.postgres.database import Database
from phems.adapters.signing import SigningKey
from phems.domain.actors import Actor
from phems.domain.approver_keys import ApproverKeyState
from phems.domain.code_revisions import CodeRevision, CodeRevisionState, statement_of
from phems.domain.permissions import Role
from phems.errors import InputError, NotFoundError, RefusedError
from phems.services.approver_keys import ApproverKeyRegister
from phems.services.code_approvals import SIGN_WITHIN, SignedStatement
from phems.services.ports.users import User

OLGA = Actor("olga")


@pytest.fixture
def register(site: Site) -> ApproverKeyRegister:
    """The register of keys; the approvers are users."""
    with site.governance.transaction() as work:
        for who in (IDA, IVO):
            work.users.add(
                User(name=who.name, password_hash=None, created_at=site.clock.now(), created_by="olga")
            )
    return ApproverKeyRegister(site.governance, site.keys, site.clock)


def sql(database: Database, statement: str, **values: object) -> None:
    """What somebody can do who has the database and nothing else."""
    with create_engine(database.address("admin"), poolclass=NullPool).begin() as connection:
        connection.execute(text(statement), values)


def approved(site: Site, who: Actor = IDA) -> CodeRevision:
    """The tip of the branch, approved."""
    commit = site.code.submit(ANA, PROJECT).commit
    return site.code.approve(who, PROJECT, commit)


def why_not(site: Site, revision: CodeRevision) -> str | None:
    """What admission would say of the code; None when it may run."""
    with site.governance.transaction() as work:
        found = work.code_revisions.get(PROJECT, revision.commit)
        assert found is not None
        try:
            site.approvals.check(work, found)
        except RefusedError as error:
            return f"{error.why} {error.remedy}"
    return None


def test_a_first_approval_makes_a_key_and_is_signed_with_it(site: Site) -> None:
    """Otherwise a node needs steps that nobody takes before its first approval."""
    revision = approved(site)
    (counted,) = site.code.approvals(IDA, PROJECT, revision.commit)
    assert counted.problem is None
    assert counted.approval.signature is not None
    (made,) = site.entries("user.register_key")
    assert (made.actor, made.subject, made.details["held_by"]) == ("node", "ida", "node")
    assert site.entries("code.approve")[-1].details["key_id"] == made.details["key_id"]
    assert why_not(site, revision) is None


def test_a_state_written_into_the_database_lets_nothing_run(site: Site, database: Database) -> None:
    """Attack 17: otherwise whoever has the database approves code."""
    commit = site.code.submit(ANA, PROJECT).commit
    sql(database, "UPDATE governance.code_revisions SET state = 'APPROVED' WHERE commit = :c", c=commit)
    forged = site.code.show(ANA, PROJECT, commit)
    assert forged.state is CodeRevisionState.APPROVED
    assert "0 of 1 approvals" in (why_not(site, forged) or "")
    sql(
        database,
        "INSERT INTO governance.code_approvals (project, commit, turn, approver, at, note) "
        "VALUES (:p, :c, 1, 'ida', now(), '')",
        p=PROJECT,
        c=commit,
    )
    assert "it is not signed" in (why_not(site, forged) or "")


def test_a_signature_copied_to_other_code_does_not_count(
    site: Site, repo: CodeRepo, database: Database
) -> None:
    """Attack 17: otherwise one approval is good for any code."""
    first = approved(site)
    evil = repo.commit({"src/heart_attack/definitions.py": "defs = 2\n"})
    site.code.submit(ANA, PROJECT, evil)
    sql(
        database,
        "INSERT INTO governance.code_approvals "
        "SELECT project, :evil, turn, approver, at, note, policy_version, key_id, signature "
        "FROM governance.code_approvals WHERE commit = :first",
        evil=evil,
        first=first.commit,
    )
    sql(database, "UPDATE governance.code_revisions SET state = 'REPLACED' WHERE commit = :c", c=first.commit)
    sql(database, "UPDATE governance.code_revisions SET state = 'APPROVED' WHERE commit = :c", c=evil)
    assert "not over this statement" in (why_not(site, site.code.show(ANA, PROJECT, evil)) or "")
    sql(
        database,
        "UPDATE governance.code_revisions SET digest = :other WHERE commit = :c",
        other="e" * 64,
        c=first.commit,
    )
    assert "not over this statement" in (why_not(site, first) or "")


@pytest.mark.parametrize(
    "change", ["turn = 2", "approver = 'ivo'", "at = at - interval '1 second'", "policy_version = '9:x'"]
)
def test_an_approval_changed_in_any_part_does_not_count(site: Site, database: Database, change: str) -> None:
    """Otherwise an approval is moved to a later turn, or to another person."""
    revision = approved(site)
    sql(database, f"UPDATE governance.code_approvals SET {change}")  # noqa: S608
    if change == "turn = 2":
        sql(database, "UPDATE governance.code_revisions SET turn = 2")
    assert "does not count" in (why_not(site, revision) or "")


def test_an_author_who_signed_does_not_count(site: Site, database: Database) -> None:
    """Attack 18: otherwise an approval is kept by striking an author's name off, and on again."""
    revision = approved(site)
    sql(database, "UPDATE governance.code_revisions SET authors = authors || ARRAY['ida']")
    assert "its author cannot approve it" in (why_not(site, revision) or "")


def test_a_revoked_key_takes_its_approvals_along_and_another_owner_can_confirm(
    site: Site, register: ApproverKeyRegister
) -> None:
    """Attack 18: otherwise a stolen key's approvals go on to count; or the project stands still for ever."""
    revision = approved(site)
    gone = register.revoke(OLGA, "ida", reason="Her laptop was stolen")
    assert gone.state is ApproverKeyState.REVOKED
    assert f"its key {gone.key_id} was revoked" in (why_not(site, revision) or "")
    with pytest.raises(RefusedError, match="has no key to sign with"):
        site.code.approve(IDA, PROJECT, revision.commit)
    assert site.code.approve(IVO, PROJECT, revision.commit).state is CodeRevisionState.APPROVED
    assert why_not(site, revision) is None
    with pytest.raises(RefusedError, match="is APPROVED"):
        site.code.approve(IVO, PROJECT, revision.commit)
    register.make(OLGA, "ida")
    assert [entry.details["key_id"] for entry in site.entries("user.revoke_key")] == [gone.key_id]


def test_who_got_a_new_key_after_a_revocation_can_approve_again(
    site: Site, register: ApproverKeyRegister
) -> None:
    """Otherwise a project with one owner never recovers."""
    revision = approved(site)
    register.revoke(OLGA, "ida", reason="Lost")
    register.make(OLGA, "ida")
    assert site.code.approve(IDA, PROJECT, revision.commit).state is CodeRevisionState.APPROVED
    assert why_not(site, revision) is None
    counts = [found.problem is None for found in site.code.approvals(IDA, PROJECT, revision.commit)]
    assert counts == [False, True]


def test_a_revocation_or_a_key_written_into_the_database_alone_changes_nothing(
    site: Site, register: ApproverKeyRegister, database: Database
) -> None:
    """Otherwise whoever has the database undoes a revocation, or approves with a key of their own."""
    revision = approved(site)
    register.revoke(OLGA, "ida", reason="Lost")
    undo = "UPDATE governance.approver_keys SET state = 'CURRENT', ended_at = NULL"
    sql(database, undo)
    assert "is not in the keys folder" in (why_not(site, revision) or "")

    own = SigningKey(Ed25519PrivateKey.generate())
    sql(
        database,
        "UPDATE governance.approver_keys SET key_id = :key, public_key = :public",
        key=own.key_id,
        public=own.public_key,
    )
    with site.governance.transaction() as work:
        found = work.code_revisions.get(PROJECT, revision.commit)
    assert found is not None
    forged = own.sign(site.signatures.signed_bytes(statement_of(found, found.approvals[0])))
    sql(
        database,
        "UPDATE governance.code_approvals SET key_id = :key, signature = :signature",
        key=own.key_id,
        signature=forged,
    )
    assert "is not in the keys folder" in (why_not(site, revision) or "")


def test_a_replaced_key_keeps_what_it_signed(site: Site, register: ApproverKeyRegister) -> None:
    """Otherwise nobody ever changes a key."""
    revision = approved(site)
    newer = register.make(OLGA, "ida")
    assert why_not(site, revision) is None
    assert [key.state.value for key in register.list("ida")] == ["CURRENT", "REPLACED"]
    assert site.entries("user.register_key")[-1].details["replaces"] == register.list("ida")[1].key_id
    assert register.current("ida").key_id == newer.key_id


class Laptop:
    """An approver's own machine: the private half never leaves it."""

    def __init__(self) -> None:
        self.key = SigningKey(Ed25519PrivateKey.generate())

    def sign(self, statement: bytes) -> SignedStatement:
        return SignedStatement(statement, self.key.sign(statement))


def test_who_keeps_their_own_key_signs_the_statement_themselves(
    site: Site, register: ApproverKeyRegister
) -> None:
    """Otherwise an approval never proves that the person made it."""
    laptop = Laptop()
    register.register_first(IDA, laptop.key.public_key)
    commit = site.code.submit(ANA, PROJECT).commit
    with pytest.raises(RefusedError, match="A signature of ida is missing"):
        site.code.approve(IDA, PROJECT, commit)
    statement = site.code.statement(IDA, PROJECT, commit)
    assert b'"by":"ida"' in statement
    revision = site.code.approve(IDA, PROJECT, commit, signed=laptop.sign(statement))
    assert revision.state is CodeRevisionState.APPROVED
    assert why_not(site, revision) is None
    kept = {path.suffixes[0] for path in site.folder.glob("keys/approvers/ida/*")}
    assert kept == {".pub"}, "no private half on the node"


def test_what_was_signed_must_be_what_is_approved_now(
    site: Site, repo: CodeRepo, register: ApproverKeyRegister
) -> None:
    """Attack 17: otherwise a statement is used for other code, by another person, or months later."""
    laptop = Laptop()
    register.register(OLGA, "ida", laptop.key.public_key)
    commit = site.code.submit(ANA, PROJECT).commit
    other = repo.commit({"a": "2"})
    site.code.submit(ANA, PROJECT, other)
    statement = site.code.statement(IDA, PROJECT, commit)

    refused = {
        "another revision": (IDA, other, laptop.sign(statement)),
        "revision, turn, person": (IVO, commit, laptop.sign(statement)),
        "not over this statement": (IDA, commit, Laptop().sign(statement)),
        "names no moment": (IDA, commit, laptop.sign(b"{}")),
        "the last 7 days": (IDA, commit, laptop.sign(statement.replace(b"2026-11", b"2027-11"))),
    }
    for told, (who, what, signed) in refused.items():
        with pytest.raises(RefusedError) as error:
            site.code.approve(who, PROJECT, what, signed=signed)
        assert told in error.value.why + error.value.what
    site.clock._now += SIGN_WITHIN + timedelta(days=1)
    with pytest.raises(RefusedError, match="What was signed does not approve"):
        site.code.approve(IDA, PROJECT, commit, signed=laptop.sign(statement))
    assert site.code.show(ANA, PROJECT, commit).state is CodeRevisionState.SUBMITTED
    assert len([e for e in site.entries("code.approve") if e.result == "refused"]) == len(refused) + 1


def test_a_key_is_one_persons_and_changed_by_an_operator_alone(
    site: Site, register: ApproverKeyRegister
) -> None:
    """Attack 18: otherwise one person approves twice, or a stolen token brings a key of its own."""
    laptop = Laptop()
    register.register_first(IDA, laptop.key.public_key)
    with pytest.raises(RefusedError, match="has had a key already"):
        register.register_first(IDA, Laptop().key.public_key)
    for who in ("ivo", "ida"):
        with pytest.raises(RefusedError, match="cannot be registered"):
            register.register(OLGA, who, laptop.key.public_key)
    register.revoke(OLGA, "ida", reason="Lost")
    with pytest.raises(RefusedError, match="cannot be registered"):
        register.register(OLGA, "ida", laptop.key.public_key)


@pytest.mark.parametrize("public", ["", "nonsense", base64.b64encode(b"short").decode()])
def test_what_is_no_key_is_not_registered(register: ApproverKeyRegister, public: str) -> None:
    """Otherwise an approver finds out at the approval."""
    with pytest.raises(InputError, match="no Ed25519 public key"):
        register.register(OLGA, "ida", public)


def test_mistakes_with_keys_say_what_to_do(register: ApproverKeyRegister) -> None:
    """Otherwise an operator is left alone."""
    with pytest.raises(NotFoundError) as unknown:
        register.make(OLGA, "nobody")
    assert "phems user add nobody" in unknown.value.remedy
    with pytest.raises(NotFoundError, match="no current key"):
        register.current("ida")
    with pytest.raises(NotFoundError, match="no key 00"):
        register.revoke(OLGA, "ida", "00", reason="x")
    with pytest.raises(InputError, match="A reason is missing"):
        register.revoke(OLGA, "ida", reason=" ")


def test_approvals_from_different_organisations(site: Site, repo: CodeRepo) -> None:
    """Otherwise one organisation approves for all of a federation."""
    site.people.roles["uma", PROJECT] = {Role.INFORMATION_ASSET_OWNER}
    site.set_rules(
        approvals=2,
        different_organisations=True,
        organisations={"ida": "hospital", "ivo": "hospital", "uma": "university"},
    )
    commit = site.code.submit(ANA, PROJECT).commit
    site.code.approve(IDA, PROJECT, commit)
    assert site.code.approve(IVO, PROJECT, commit).state is CodeRevisionState.UNDER_REVIEW
    revision = site.code.approve(Actor("uma"), PROJECT, commit)
    assert revision.state is CodeRevisionState.APPROVED
    site.set_rules(organisations={"ida": "hospital", "ivo": "hospital", "uma": "hospital"})
    assert "1 of 2 approvals, each from another organisation" in (why_not(site, revision) or "")


def test_a_stricter_policy_holds_for_code_approved_before(site: Site) -> None:
    """Otherwise a rule that was tightened is one on paper."""
    revision = approved(site)
    site.set_rules(approvals=2)
    assert "1 of 2 approvals" in (why_not(site, revision) or "")
    site.code.approve(IVO, PROJECT, revision.commit)
    assert why_not(site, revision) is None


def test_where_signatures_are_optional_unsigned_approvals_count_and_wrong_ones_do_not(
    site: Site, register: ApproverKeyRegister, database: Database
) -> None:
    """Otherwise a node from before signatures cannot be brought along, or anything goes."""
    site.rules[PROJECT] = replace(site.rules[PROJECT], unsigned_approvals_count=True)
    revision = approved(site)
    (unsigned,) = site.code.approvals(IDA, PROJECT, revision.commit)
    assert (unsigned.approval.signature, unsigned.problem) == (None, None)
    assert site.entries("user.register_key") == []
    register.make(OLGA, "ivo")
    sql(database, "UPDATE governance.code_revisions SET state = 'SUBMITTED', turn = 2")
    signed = site.code.approve(IVO, PROJECT, revision.commit)
    assert signed.present_approvals()[0].signature is not None
    sql(database, "UPDATE governance.code_approvals SET at = at + interval '1 second' WHERE turn = 2")
    assert "not over this statement" in (why_not(site, signed) or "")
