"""Degrees of freedom, survival steps, and what ACRO said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.output_checks.tables.conftest import Desk, of

from phems.domain.output_checks import Verdict
from phems.output_checks.tables import acro_results, regression, survival
from phems.output_checks.tables.acro_results import verdict_of
from phems.output_checks.tables.regression import judged

COEFFICIENTS = "term,estimate\nage,0.1\nsex,0.2\n"
CURVE = {
    "kind": "survival",
    "dimensions": ["arm", "month"],
    "count": "at_risk",
    "value": "survival",
    "population": "trial",
}


@pytest.mark.parametrize(
    ("model", "verdict"),
    [
        ({"residual_dof": 488, "parameters": 12, "observations": 500}, Verdict.PASS),
        ({"parameters": 12, "observations": 500}, Verdict.PASS),
        ({"residual_dof": 9, "parameters": 12, "observations": 21}, Verdict.FAIL),
        ({"parameters": 12, "observations": 21}, Verdict.FAIL),
        ({"residual_dof": 490, "parameters": 12, "observations": 500}, Verdict.FAIL),
        ({"residual_dof": 501, "observations": 500}, Verdict.FAIL),
        ({"residual_dof": 0, "parameters": 500, "observations": 500}, Verdict.FAIL),
        ({"residual_dof": 488}, Verdict.REVIEW),
        ({"parameters": 12}, Verdict.REVIEW),
        ({}, Verdict.REVIEW),
    ],
)
def test_degrees_of_freedom(model: dict[str, int], verdict: Verdict) -> None:
    """Otherwise a model with a parameter for each patient would leave as a regression."""
    assert judged(model, 10, 10)[0] is verdict


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_no_model_passes_with_fewer_degrees_than_asked_for(dof: int, parameters: int, n: int) -> None:
    """Otherwise what is declared could be worded around."""
    verdict, _ = judged({"residual_dof": dof, "parameters": parameters, "observations": n}, 10, 10)
    assert (verdict is Verdict.PASS) is (n >= 10 and 10 <= dof <= n - parameters)


def test_a_regression_without_a_model_is_for_a_person(desk: Desk) -> None:
    """Otherwise not declaring it would be the way around."""
    declaration: dict[str, Any] = {"kind": "regression", "dimensions": ["term"], "value": "estimate"}
    desk.add("a.csv", COEFFICIENTS, declaration)
    assert [each.verdict for each in desk.ask(regression.CHECK)] == [Verdict.REVIEW]
    model = {"parameters": 1, "observations": 500}
    desk.add("b.csv", COEFFICIENTS, {**declaration, "model": model})
    said = [each.verdict for each in desk.ask(regression.CHECK) if each.path == desk.files[1].path]
    # Two coefficients of one parameter: somebody has to look.
    assert said == [Verdict.PASS, Verdict.REVIEW]


def curve(*rows: tuple[str, float, int, float]) -> str:
    return "arm,month,at_risk,survival\n" + "".join(f"{a},{m},{n},{s}\n" for a, m, n, s in rows)


def test_steps_of_single_patients_fail(desk: Desk) -> None:
    """Otherwise the day on which a patient died could be read off the curve."""
    desk.add("km.csv", curve(("A", 0, 100, 1.0), ("A", 1, 99, 0.99), ("A", 12, 60, 0.8)), CURVE)
    [found] = desk.ask(survival.CHECK)
    assert found.verdict is Verdict.FAIL
    assert {step["what"] for step in found.evidence["steps"]} == {"at risk less than before", "events"}


def test_wide_intervals_pass_whatever_their_order(desk: Desk) -> None:
    """Otherwise no survival table could leave."""
    rows = (
        ("A", 24, 50, 0.5),
        ("A", 0, 100, 1.0),
        ("A", 12, 75, 0.75),
        ("B", 0, 80, 1.0),
        ("B", 12, 80, 1.0),
    )
    desk.add("km.csv", curve(*rows), CURVE)
    assert [each.verdict for each in desk.ask(survival.CHECK)] == [Verdict.PASS]


def test_few_events_among_many_who_left_fail(desk: Desk) -> None:
    """Otherwise two deaths would hide behind fifty who moved away."""
    desk.add("km.csv", curve(("A", 0, 100, 1.0), ("A", 12, 50, 0.98)), CURVE)
    [found] = desk.ask(survival.CHECK)
    assert [step["what"] for step in found.evidence["steps"]] == ["events"]
    assert found.evidence["steps"][0]["people"] == 2.0


def test_few_at_risk_fail(desk: Desk) -> None:
    """Otherwise the tail of a curve would be about nine patients."""
    desk.add("km.csv", curve(("A", 0, 100, 1.0), ("A", 60, 9, 0.2)), CURVE)
    assert of(desk.ask(survival.CHECK), Verdict.FAIL)


def test_curves_that_cannot_be_checked(desk: Desk) -> None:
    """Otherwise a curve without numbers at risk or times would pass."""
    desk.add("a.csv", curve(("A", 0, 100, 1.0)), {**CURVE, "count": None})
    assert [each.verdict for each in desk.ask(survival.CHECK)] == [Verdict.REVIEW]
    desk.files.clear()
    desk.add("b.csv", curve(("A", 0, 100, 1.0)), {**CURVE, "dimensions": ["month", "arm"]})
    desk.add("c.csv", "at_risk,survival\n100,1\n", {**CURVE, "dimensions": []})
    assert [each.verdict for each in desk.ask(survival.CHECK)] == [Verdict.FAIL, Verdict.FAIL]


def record(status: Any, *files: str, **more: Any) -> dict[str, Any]:
    listed = [{"name": name, "sdc": {}} for name in files]
    return {"status": status, "type": "table", "summary": "threshold: 2 cells", "files": listed} | more


def results(version: str = "0.4.12", **records: Any) -> str:
    return json.dumps({"version": version, "results": records})


def said(desk: Desk) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in desk.ask(acro_results.CHECK):
        found.setdefault((each.path or "").rsplit("/", 1)[-1], []).append(each.verdict.value)
    return found


@pytest.mark.parametrize("version", ["0.4.0", "0.4.12", "1.0.2"])
def test_what_acro_said_is_filed_under_its_files(desk: Desk, version: str) -> None:
    """Otherwise checkers would have to put ACRO's results and the files together by hand."""
    desk.add("a_0.csv", "x\n1\n")
    desk.add("b_0.csv", "x\n1\n")
    output = {"a": record("pass", "a_0.csv"), "b": record("fail", "b_0.csv", exception="please")}
    desk.support("results.json", results(version, **output))
    assert said(desk) == {"results.json": ["pass", "fail"], "a_0.csv": ["pass"], "b_0.csv": ["fail"]}


@pytest.mark.parametrize("status", ["federated", "", None, "ok", 1, [], {}])
def test_an_unknown_status_is_unchecked(status: Any) -> None:
    """Otherwise a status that says nothing would be taken for one that says pass."""
    assert verdict_of(record(status))[0] is Verdict.REVIEW
    assert verdict_of({})[0] is verdict_of("pass")[0] is Verdict.REVIEW
    assert verdict_of(record("pass", federated=True))[0] is Verdict.REVIEW


def test_federated_results_are_unchecked(desk: Desk) -> None:
    """Otherwise evidence that nobody has looked at would pass for a check."""
    desk.add("a_0.csv", "x\n1\n")
    desk.add("results.json", results(a=record("pass", "a_0.csv")))
    desk.add("config.json", json.dumps({"federated": True}))
    desk.add("evidence.json", json.dumps({"version": "1.0.2", "outputs": {"output_0": {}}}))
    found = said(desk)
    assert {verdict for verdicts in found.values() for verdict in verdicts} == {"review"}
    assert found.keys() == {"results.json", "a_0.csv", "evidence.json"}


@pytest.mark.parametrize("version", ["0.3.0", "", "next"])
def test_results_of_another_acro_are_unchecked(desk: Desk, version: str) -> None:
    """Otherwise a format that nobody knows would be read as if it were known."""
    desk.add("results.json", results(version, a=record("pass")))
    assert set(said(desk)["results.json"]) == {"review"}


def test_weaker_thresholds_are_told(desk: Desk) -> None:
    """Otherwise ACRO could be set up to pass anything."""
    desk.add("results.json", results(a=record("pass")))
    desk.add("config.json", json.dumps({"safe_threshold": 3, "safe_nk_k": 0.95, "safe_dof_threshold": 10}))
    [weaker] = [each for each in desk.ask(acro_results.CHECK) if "settings" in each.evidence]
    assert [setting["setting"] for setting in weaker.evidence["settings"]] == ["safe_threshold", "safe_nk_k"]


@pytest.mark.parametrize("content", ["{", "[]", '{"results": []}', '{"results": {"a": 3}}', "[" * 100_000])
def test_what_is_no_result_of_acro_passes_nothing(desk: Desk, content: str) -> None:
    """Otherwise a malformed file could be made to say pass."""
    desk.add("results.json", content)
    assert "pass" not in said(desk).get("results.json", [])
