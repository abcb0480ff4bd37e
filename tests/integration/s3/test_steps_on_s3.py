"""A served node whose steps share a bucket: what one machine writes the next reads, outages included."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.nodes import ANALYST, NodeSite, RunningNode, running_node, succeeded, temporary_site
from tests.s3_server import S3Server

from phems.domain.actors import Actor
from phems.domain.release_states import ReleaseState
from phems.domain.votes import Vote
from phems.services.release_files import Choice
from phems.services.releases import Case

SHARING = Path(__file__).parent / "sharing"
BUCKET, RELEASES = "node-a-steps", "node-a-releases"
PREFIX = "sharing/"


@pytest.fixture(scope="module")
def site(s3: S3Server) -> Iterator[NodeSite]:
    """A Node Repo whose project writes to a bucket, prefix by prefix."""
    s3.client().create_bucket(Bucket=BUCKET)
    s3.client().create_bucket(Bucket=RELEASES, ObjectLockEnabledForBucket=True)
    storage = {"endpoint": s3.endpoint, "bucket": BUCKET, "release_bucket": RELEASES, "object_lock_days": 1}
    with temporary_site() as made, pytest.MonkeyPatch.context() as environment:
        for name, value in s3.environment.items():
            environment.setenv(name, value)
        made.settings["storage"] = {"s3": storage}
        made.add_project(
            "sharing", SHARING, code={"repo": "../sharing-code", "module": "sharing.definitions"}
        )
        yield made


@pytest.fixture(scope="module")
def node(site: NodeSite) -> Iterator[RunningNode]:
    with running_node(site) as served:
        served.approve("sharing")
        served.ready("sharing")
        yield served


def keys(s3: S3Server) -> set[str]:
    listed = s3.client().list_objects_v2(Bucket=BUCKET)
    return {found["Key"] for found in listed.get("Contents", ())}


def another_machine(node: RunningNode) -> None:
    """Empty the folders of this one: what it wrote and what it fetched."""
    for folder in (node.serving.paths.artifacts("sharing"), node.serving.paths.fetched("sharing")):
        for inner in folder.iterdir():
            shutil.rmtree(inner) if inner.is_dir() else inner.unlink()


def test_what_a_run_wrote_is_in_the_bucket_and_read_by_a_step_on_another_machine(
    node: RunningNode, s3: S3Server
) -> None:
    """Otherwise a second worker host fails on every input, or a release on every output."""
    run = node.run("all_assets", project="sharing", assets=["sharing/small", "sharing/large"])
    assert succeeded(run), node.story(run.run_id)
    values = {f"{PREFIX}io/assets/sharing/{name}/@value" for name in ("small", "large")}
    assert values <= keys(s3)

    another_machine(node)
    run = node.run("all_assets", project="sharing", assets=["sharing/measured"])
    assert succeeded(run), node.story(run.run_id)
    output = f"outputs/{run.run_id}/size.txt"
    assert PREFIX + output in keys(s3)

    another_machine(node)
    read = b"".join(node.serving.node.files.artifacts.chunks("sharing", output, limit=1000))
    assert read == f"{40 * 1024 * 1024 + 3} bytes\n".encode()


def test_project_code_finds_no_key_and_can_keep_nothing_elsewhere(node: RunningNode, s3: S3Server) -> None:
    before = keys(s3)
    run = node.run("looking_around", project="sharing")
    assert succeeded(run), node.story(run.run_id)
    assert keys(s3) == before


def almost_approved(node: RunningNode) -> str:
    """A release request that one more vote approves."""
    run = node.run("all_assets", project="sharing")
    assert succeeded(run), node.story(run.run_id)
    releases = node.serving.node.releases
    asked = releases.request(ANALYST, "sharing", Choice(run.run_id), Case("a size", "one number"))
    releases.vote(Actor("carol"), asked.request.id, Vote.APPROVED)
    return asked.request.id


def test_steps_and_releases_wait_out_an_outage_of_twenty_seconds_and_store_once(
    node: RunningNode, s3: S3Server
) -> None:
    """Otherwise each restart of the service fails what runs, or a release is on record and never arrives."""
    request_id = almost_approved(node)
    run_id = node.launch("handing_over", project="sharing")
    node.wait_for(node.artifact("began", "sharing").exists, "the first step", 60)
    s3.stop()
    back = threading.Timer(20, s3.start)
    back.start()
    node.serving.node.releases.vote(Actor("dmitri"), request_id, Vote.APPROVED)
    node.artifact("go", "sharing").touch()
    run = node.finished(run_id, 90)
    back.join()
    assert succeeded(run), node.story(run_id)
    kinds = [event.event_type_value for event in node.events(run_id)]
    assert kinds.count("STEP_START") == kinds.count("STEP_SUCCESS") == 2
    assert f"{PREFIX}outputs/{run_id}/given.txt" in keys(s3)
    assert f"{PREFIX}io/runs/{run_id}/gives/result" in keys(s3)
    zone = node.serving.node.files.release_zone
    node.wait_for(lambda: zone.holds(request_id), "the package", 60)
    assert state_of(node, request_id) is ReleaseState.RELEASED
    written = s3.client().list_object_versions(Bucket=RELEASES)["Versions"]
    assert len(written) == len({found["Key"] for found in written})
    assert f"{request_id}/files/size.txt" in {found["Key"] for found in written}


def state_of(node: RunningNode, request_id: str) -> ReleaseState:
    return node.serving.node.releases.show(ANALYST, request_id).request.state


def test_a_service_that_stays_away_fails_the_step_with_what_to_do(
    node: RunningNode, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a run hangs, or ends well with a value that only one machine has."""
    shared: Any = node.serving.node.files.shared
    patience = shared._bucket._patiently
    monkeypatch.setattr(shared._bucket, "_patiently", type(patience)(1, patience.is_worth_another_try))
    s3.stop()
    try:
        run = node.run("all_assets", project="sharing", assets=["sharing/small"])
    finally:
        s3.start()
    assert not succeeded(run)
    story = node.story(run.run_id)
    assert "the service does not answer" in story
    assert "Remedy: See that it runs" in story
