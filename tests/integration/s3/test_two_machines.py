"""Profile server on two machines without a common artifact folder: the second reads what the first wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.folders import open_folder
from tests.nodes import RunningNode, running_node, succeeded
from tests.rabbitmq import RabbitMq
from tests.s3_server import S3Server
from tests.server_nodes import ServerSite, server_site
from tests.server_stories import until_served, worker_pids

from phems.adapters.postgres.database import Database

SHARING = Path(__file__).parent / "sharing"
SHARED_FOLDERS = ("keys", "code", "audit")


def second_machine(first: ServerSite) -> ServerSite:
    """The same node.yaml elsewhere; of the data folder it shares what no bucket holds, and no artifacts."""
    other = ServerSite(first.folder / "elsewhere", projects=first.projects, settings=first.settings)
    other.write()
    data = other.node_folder / "data"
    data.mkdir(mode=0o700)
    for name in SHARED_FOLDERS:
        (data / name).symlink_to(first.node_folder / "data" / name)
    return other


def run_on(machine: ServerSite, node: RunningNode, *assets: str) -> str:
    """Materialize assets with a worker of this machine alone; gives the run."""
    machine.start_worker()
    until_served(node)
    run = node.run(
        "all_assets", project="sharing", assets=[f"sharing/{asset}" for asset in assets], seconds=120
    )
    assert succeeded(run), node.story(run.run_id) + machine.worker_log()
    machine.stop_workers()
    node.wait_for(lambda: not worker_pids(node), "the end of the worker")
    return run.run_id


def test_a_worker_on_another_machine_goes_on_with_what_the_first_one_wrote(
    s3: S3Server, bucket: str, database: Database, rabbitmq: RabbitMq, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a second machine fails each step whose input it has not written itself."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    with (
        open_folder() as folder,
        server_site(folder, database, rabbitmq) as first,
    ):
        first.settings["storage"] = {"s3": {"endpoint": s3.endpoint, "bucket": bucket}}
        first.add_project(
            "sharing", SHARING, code={"repo": "../sharing-code", "module": "sharing.definitions"}
        )
        with running_node(first) as node:
            second = second_machine(first)
            node.approve("sharing")
            node.ready("sharing")
            first.phems("broker", "init", PHEMS_BROKER_ADMIN=rabbitmq.admin_url)
            try:
                run_on(first, node, "small", "large")
                run_id = run_on(second, node, "measured")
            finally:
                second.stop_workers()
            own = [
                path.name
                for path in (second.node_folder / "data/artifacts/sharing/io/assets/sharing").iterdir()
            ]
            assert own == ["measured"], "the second machine has what it wrote, and fetched what it read"
            assert list((second.node_folder / "data/fetched/sharing").iterdir())
            output = f"outputs/{run_id}/size.txt"
            assert b"bytes" in b"".join(
                node.serving.node.files.artifacts.chunks("sharing", output, limit=1000)
            )
            keys = {found["Key"] for found in s3.client().list_objects_v2(Bucket=bucket)["Contents"]}
            values = {f"sharing/io/assets/sharing/{name}/@value" for name in ("small", "large", "measured")}
            assert keys == values | {f"sharing/{output}"}
