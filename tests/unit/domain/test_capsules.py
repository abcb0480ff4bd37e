"""The run capsule: two runs have the same one exactly when they are the same work on the same data."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.capsules import RunFacts, capsule

FACTS = RunFacts(
    run_id="run-1",
    project="heart-attack",
    job="survival",
    plan_id="plan-1",
    run_config="{}",
    selection=("asset:heart_attack/cohort",),
)
GRANTS = {"whas500": "parquet:data/whas500.parquet"}
CODE = "d" * 64
CHANGES = {
    "run_id": "run-2",
    "project": "breast-cancer",
    "job": "other",
    "plan_id": "plan-2",
    "run_config": '{"ops":{}}',
    "selection": (),
    "partition": "2026-01-01",
    "parent_run_id": "run-0",
}
# Who the run is, rather than what it does: another run of the same work has the same capsule.
OF_THE_RUN = {"run_id", "project", "parent_run_id"}


def test_every_fact_of_a_run_is_tried_below() -> None:
    """Otherwise a new fact is in neither digest, and nobody notices."""
    assert set(CHANGES) == {field.name for field in fields(RunFacts)}


@pytest.mark.parametrize("name", CHANGES)
def test_a_run_that_was_changed_after_it_was_asked_for_has_another_fingerprint(name: str) -> None:
    """Otherwise a row changed in the queue is admitted as what somebody asked for."""
    assert replace(FACTS, **{name: CHANGES[name]}).fingerprint() != FACTS.fingerprint()


@pytest.mark.parametrize("name", CHANGES)
def test_the_capsule_follows_the_work_and_not_the_run(name: str) -> None:
    """Otherwise two runs of the same work look unlike, or two unlike ones the same."""
    changed = replace(FACTS, **{name: CHANGES[name]})
    same = capsule(changed, code_digest=CODE, grants=GRANTS) == capsule(
        FACTS, code_digest=CODE, grants=GRANTS
    )
    assert same is (name in OF_THE_RUN)


@pytest.mark.parametrize(
    ("code", "grants"),
    [
        ("e" * 64, GRANTS),
        (CODE, {}),
        (CODE, {"whas500": "parquet:data/other.parquet"}),
        (CODE, {**GRANTS, "gbsg2": "csv:data/gbsg2.csv"}),
    ],
)
def test_other_code_or_other_data_is_another_capsule(code: str, grants: dict[str, str]) -> None:
    """Otherwise a result cannot be traced to the code and the data that made it."""
    before = capsule(FACTS, code_digest=CODE, grants=GRANTS)
    assert capsule(FACTS, code_digest=code, grants=grants) != before


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@given(st.dictionaries(WORDS, WORDS, max_size=5))
def test_the_order_of_grants_does_not_matter(grants: dict[str, str]) -> None:
    """Otherwise the same run gets another capsule when node.yaml is sorted anew."""
    backwards = dict(reversed(grants.items()))
    assert capsule(FACTS, code_digest=CODE, grants=grants) == capsule(
        FACTS, code_digest=CODE, grants=backwards
    )


def test_a_capsule_is_a_sha_256() -> None:
    """Otherwise it fits nowhere that a digest is asked for."""
    assert len(bytes.fromhex(capsule(FACTS, code_digest=CODE, grants=GRANTS))) == 32
