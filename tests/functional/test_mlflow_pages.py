"""What project code logs in the sandbox is seen in MLflow's own pages, by who may: in a real browser."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect
from tests.functional.conftest import BREAST, HEART, Hospital
from tests.functional.people import Person

SECONDS = 60_000  # of Playwright's, for a machine with much else to do


def test_a_run_in_mlflow_is_found_from_the_run_and_leads_back(
    person: Callable[..., Person], hospital: Hospital
) -> None:
    """Otherwise who looks at a model could not tell what it was made of, nor find it from its run."""
    run = hospital.act("ana", "run", "launch", HEART, "risk")
    assert run["status"] == "SUCCESS", run
    ana = person("ana")
    ana.open(f"/projects/{HEART}/runs/{run['id']}")
    ana.page.get_by_role("link", name="Parameters, metrics and models in MLflow").click()
    expect(ana.page.get_by_text("accuracy").first).to_be_visible(timeout=SECONDS)
    expect(ana.page.get_by_text("logisticregression__C").first).to_be_visible(timeout=SECONDS)
    ana.picture("mlflow-run")
    back = ana.page.get_by_role("link", name=f"run {run['id'][:8]}")
    expect(back).to_be_visible(timeout=SECONDS)
    with ana.context.expect_page() as opened:
        back.click()
    opened.value.wait_for_url(f"**/projects/{HEART}/runs/{run['id']}")
    ana.page.goto(f"/mlflow/{HEART}/#/experiments")
    expect(ana.page.get_by_text("risk").first).to_be_visible(timeout=SECONDS)
    # MLflow's pages ask for its accounts and its assistant, which are closed here; nothing else is amiss.
    ana.complaints[:] = [each for each in ana.complaints if "403 (Forbidden)" not in each]


def test_nobody_else_finds_it(person: Callable[..., Person]) -> None:
    """Otherwise what project code logs of its patients would be open to other projects' people."""
    ben = person("ben")
    theirs = ben.open(f"/mlflow/{HEART}/")
    assert theirs.status == 404
    none = ben.open("/mlflow/no-such-project/")
    assert none.status == 404
    assert ben.open(f"/mlflow/{BREAST}/").status == 404  # their own, which has no MLflow
    checker = person("carol")  # a member, whose role does not read what project code wrote
    assert checker.open(f"/mlflow/{HEART}/").status == 404
