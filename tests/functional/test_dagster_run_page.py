"""The page of a run in Dagster's UI says what the node decided about it: as people look at it there."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable

from playwright.sync_api import expect
from tests.functional.conftest import HEART, Hospital
from tests.functional.people import Person

SECONDS = 60_000  # of Playwright's, for a machine with much else to do
LAUNCH = """
mutation($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } }
}
"""


def test_the_page_of_a_run_shows_capsule_approval_and_requester(
    person: Callable[..., Person], hospital: Hospital
) -> None:
    """Otherwise who looks at a run in Dagster must look elsewhere for who asked, and who let it."""
    capsule = hospital.act("ana", "run", "show", hospital.analysis)["capsule"]
    ana = person("ana")
    ana.open(f"/runs/{hospital.analysis}")
    ana.page.get_by_text("RUN_SUCCESS").first.wait_for(timeout=SECONDS)
    ana.page.get_by_role("button", name="View tags and config").click()
    for tag in (f"phems/capsule: {capsule}", "phems/approval: code: wei", "phems/requester: ana"):
        expect(ana.page.get_by_text(tag, exact=True).first).to_be_visible(timeout=SECONDS)
    ana.picture("dagster-run")


def test_a_refused_launch_shows_its_reason(person: Callable[..., Person], hospital: Hospital) -> None:
    """Otherwise there is a red run and no word why, nor what to do."""
    ana = person("ana")
    ana.open(f"/runs/{refused(hospital)}")
    reason = "Refused: The tags phems/requester are reserved."
    expect(ana.page.get_by_text(reason).first).to_be_visible(timeout=SECONDS)
    expect(ana.page.get_by_text("Take them out of the launch").first).to_be_visible()
    ana.picture("dagster-refused-run")


def refused(hospital: Hospital) -> str:
    """A run that ana launches in another's name."""
    selector = {
        "repositoryLocationName": HEART,
        "repositoryName": "__repository__",
        "jobName": "analysis",
    }
    tags = [{"key": "phems/requester", "value": "olga"}]
    params = {"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": tags}}
    request = urllib.request.Request(  # noqa: S310 (the node of this test)
        f"{hospital.node.url}/graphql",
        json.dumps({"query": LAUNCH, "variables": {"params": params}}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {hospital.node.tokens['ana']}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return str(json.load(answer)["data"]["launchRun"]["run"]["runId"])
