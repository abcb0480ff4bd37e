"""The run capsule: two runs have the same one exactly when they are the same work on the same data."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.canonical import digest
from phems.domain.capsules import (
    CodeFacts,
    GrantedData,
    RunFacts,
    capsule_document,
    differences,
    granted_data,
    other_data,
    shown,
)

FACTS = RunFacts(
    run_id="run-1",
    project="heart-attack",
    job="survival",
    plan_id="plan-1",
    run_config="{}",
    selection=("asset:heart_attack/cohort",),
)
CODE = CodeFacts("d" * 64, "e" * 64)
DATA = {"whas500": GrantedData("parquet:data/whas500.parquet", "sha256:" + "0" * 64)}
ZEROS = "sha256:" + "0" * 12
VERSION = "1:abcdefabcdef"
CHANGES: dict[str, Any] = {
    "run_id": "run-2",
    "project": "breast-cancer",
    "job": "other",
    "plan_id": "plan-2",
    "run_config": '{"ops":{}}',
    "selection": (),
    "partition": "2026-01-01",
    "parent_run_id": "run-0",
    "tags": {"study": "2024"},
}
# Who the run is, rather than what it does: another run of the same work has the same capsule.
OF_THE_RUN = {"run_id", "parent_run_id"}


def capsule(
    facts: RunFacts = FACTS,
    code: CodeFacts = CODE,
    data: dict[str, GrantedData] = DATA,
    version: str = VERSION,
) -> str:
    return digest(capsule_document(facts, code, data, policy_version=version))


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
    assert (capsule(replace(FACTS, **{name: CHANGES[name]})) == capsule()) is (name in OF_THE_RUN)


@pytest.mark.parametrize(
    "code",
    [
        CodeFacts("f" * 64, "e" * 64),
        CodeFacts("d" * 64, "f" * 64),
        CodeFacts("d" * 64, None),
        CodeFacts("d" * 64, "e" * 64, interpreter="envs/heart/bin/python"),
        CodeFacts("d" * 64, "e" * 64, variables={"STUDY_YEAR": "2024"}),
    ],
)
def test_other_code_or_another_environment_is_another_capsule(code: CodeFacts) -> None:
    """Otherwise a result cannot be traced to what computed it."""
    assert capsule(code=code) != capsule()


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"whas500": GrantedData("parquet:data/other.parquet", DATA["whas500"].version)},
        {"whas500": GrantedData(DATA["whas500"].place, "sha256:" + "1" * 64)},
        {"whas500": GrantedData(DATA["whas500"].place, "declared:2026-01")},
        {**DATA, "gbsg2": GrantedData("csv:data/gbsg2.csv", "sha256:" + "2" * 64)},
    ],
)
def test_other_data_is_another_capsule(data: dict[str, GrantedData]) -> None:
    """Otherwise a result cannot be traced to the bytes that it was computed from."""
    assert capsule(data=data) != capsule()


def test_other_rules_are_another_capsule() -> None:
    """Otherwise what was approved under one policy is run under another."""
    assert capsule(version="2:abcdefabcdef") != capsule()


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@given(st.dictionaries(WORDS, st.builds(GrantedData, WORDS, WORDS), max_size=5))
def test_the_order_of_grants_does_not_matter(data: dict[str, GrantedData]) -> None:
    """Otherwise the same run gets another capsule when node.yaml is sorted anew."""
    assert capsule(data=data) == capsule(data=dict(reversed(data.items())))


def test_what_differs_is_named_by_its_part() -> None:
    """Otherwise a refusal says that something has changed, and not what."""
    before = capsule_document(FACTS, CODE, DATA, policy_version=VERSION)
    after = capsule_document(replace(FACTS, job="other"), CODE, {}, policy_version=VERSION)
    assert differences(before, after) == ("data", "job")
    assert differences({}, {"job": "x"}) == ("job",)
    assert differences(before, before) == ()


def test_a_capsule_is_a_sha_256() -> None:
    """Otherwise it fits nowhere that a digest is asked for."""
    assert len(bytes.fromhex(capsule())) == 32
    assert capsule().startswith(shown(capsule()))


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({}, ""),
        (DATA, ""),
        ({"beds": DATA["whas500"]}, "the data source beds was granted"),
        (
            {"whas500": replace(DATA["whas500"], place="csv:data/other.csv")},
            "the data source whas500 was registered as another file",
        ),
        (
            {"whas500": replace(DATA["whas500"], version="sha256:" + "1" * 64)},
            f"the data source whas500 was replaced or changed (admitted: {ZEROS}, now: sha256:{'1' * 12})",
        ),
        (
            {"whas500": replace(DATA["whas500"], version="declared:2024")},
            f"the data source whas500 was replaced or changed (admitted: {ZEROS}, now: declared:2024)",
        ),
    ],
)
def test_data_other_than_the_capsule_s_is_named_and_less_of_it_is_none(
    found: dict[str, GrantedData], why: str
) -> None:
    """Otherwise a step reads what its capsule does not say, or a grant that ends takes every run with it."""
    document = capsule_document(FACTS, CODE, DATA, policy_version=VERSION)
    assert granted_data(document) == DATA
    assert other_data(granted_data(document), found) == why
