"""Whether a run may start: each rule refuses what it is for, in order, and a replay comes to the same."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.admission import RULES, AdmissionInputs, AdmissionRules, refused
from phems.domain.code_revisions import CodeRevisionState
from phems.errors import RefusedError

DAY = date(2026, 11, 25)
PROBLEM = RefusedError("It does not count.")
INPUTS = AdmissionInputs(
    run_id="run-1",
    project="heart-attack",
    job="survival",
    is_resume=False,
    is_as_asked=True,
    revision_state=CodeRevisionState.APPROVED,
    needed_sources=("patients",),
    is_isolating=False,
    day=DAY,
    was_admitted=False,
    revision_name="0123abcd",
    sandbox="no sandbox",
)
RULES_IN_FORCE = AdmissionRules({"patients": None}, needs_sandbox=False)
STRICT = AdmissionRules({"patients": DAY}, needs_sandbox=True, needs_capsule_approval=True)


def code_of(inputs: AdmissionInputs, rules: AdmissionRules = RULES_IN_FORCE) -> str | None:
    refusal = refused(inputs, rules)
    return None if refusal is None else refusal.code


@pytest.mark.parametrize(
    ("changes", "rules", "code"),
    [
        ({}, RULES_IN_FORCE, None),
        ({"is_isolating": True}, STRICT, None),
        ({"revision_state": CodeRevisionState.REPLACED}, RULES_IN_FORCE, None),
        ({"needed_sources": ()}, AdmissionRules({}, needs_sandbox=False), None),
        ({"is_as_asked": False}, RULES_IN_FORCE, "as_asked"),
        ({"revision_state": None}, RULES_IN_FORCE, "code"),
        ({"revision_state": CodeRevisionState.REVOKED}, RULES_IN_FORCE, "code"),
        ({"revision_state": CodeRevisionState.SUBMITTED, "revision_reason": "Why."}, RULES_IN_FORCE, "code"),
        ({}, STRICT, "sandbox"),
        ({"needed_sources": ("patients", "weather")}, RULES_IN_FORCE, "grants"),
        ({"day": date(2026, 11, 26), "is_isolating": True}, STRICT, "grants"),
        ({"was_admitted": True}, RULES_IN_FORCE, "once"),
        ({"was_admitted": True, "is_resume": True}, RULES_IN_FORCE, None),
        (
            {"was_admitted": True, "is_resume": True, "changed_parts": ("policy_version",)},
            RULES_IN_FORCE,
            None,
        ),
        (
            {"was_admitted": True, "is_resume": True, "changed_parts": ("data", "policy_version")},
            RULES_IN_FORCE,
            "unchanged",
        ),
        ({"code_problem": PROBLEM}, RULES_IN_FORCE, "code_approvals"),
        ({"capsule_problem": PROBLEM, "is_isolating": True}, STRICT, "capsule"),
        ({"capsule_problem": PROBLEM}, RULES_IN_FORCE, None),
    ],
)
def test_the_first_rule_that_does_not_hold_refuses(
    changes: dict[str, Any], rules: AdmissionRules, code: str | None
) -> None:
    """Otherwise code runs on data that nobody let it run on."""
    inputs = replace(INPUTS, **changes)
    assert code_of(inputs, rules) == code
    refusal = refused(inputs, rules)
    if refusal is not None and refusal.error is not PROBLEM:
        assert refusal.error.why
        assert refusal.error.remedy


def test_a_replay_of_what_was_kept_comes_to_the_same() -> None:
    """Otherwise a past decision cannot be shown to have been right."""
    states = (*CodeRevisionState, None)
    flags = itertools.product((True, False), repeat=5)
    for state, (asked, isolating, admitted, resume, problem), rules in itertools.product(
        states, flags, (RULES_IN_FORCE, STRICT)
    ):
        inputs = replace(
            INPUTS,
            revision_state=state,
            is_as_asked=asked,
            is_isolating=isolating,
            was_admitted=admitted,
            is_resume=resume,
            changed_parts=("data",) if resume and not asked else (),
            code_problem=PROBLEM if problem and asked else None,
            capsule_problem=PROBLEM if problem else None,
        )
        kept = AdmissionInputs.from_json(inputs.as_json(rules), run_id="run-1", project="heart-attack")
        assert code_of(kept, rules) == code_of(inputs, rules)


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from([None, "2026-11-24", "2026-11-25"])))
def test_the_rules_in_a_version_are_those_that_are_asked(grants: dict[str, str | None]) -> None:
    """Otherwise a replay asks for something else than admission did."""
    content = {"data_grants": grants, "policy": {"sandbox": "required", "approve": "capsule"}}
    rules = AdmissionRules.of_content(content)
    assert rules.granted(DAY) == {name for name, last in grants.items() if last != "2026-11-24"}
    assert rules.needs_sandbox
    assert rules.needs_capsule_approval
    older = AdmissionRules.of_content({"data_grants": {}, "policy": {"sandbox": "preferred"}})
    assert not older.needs_sandbox
    assert not older.needs_capsule_approval


def test_every_rule_has_a_name_of_its_own() -> None:
    """Otherwise an audit entry does not say which rule refused."""
    assert len({rule.code for rule in RULES}) == len(RULES)


def test_what_project_code_calls_its_data_is_not_kept() -> None:
    """Otherwise a name that carries a patient's stands in a log that leaves the node."""
    inputs = replace(INPUTS, needed_sources=("patients", "Jane Doe"))
    refusal = refused(inputs, RULES_IN_FORCE)
    assert refusal is not None
    kept = inputs.as_json(RULES_IN_FORCE)
    assert kept["needed_sources"][0] == "patients"
    assert "Jane Doe" not in f"{kept} {refusal.error.logged}"
    again = AdmissionInputs.from_json(kept, run_id="run-1", project="heart-attack")
    assert code_of(again) == refusal.code
