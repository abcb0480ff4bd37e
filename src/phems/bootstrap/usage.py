"""The usage report of a node, and the meter behind it, wired."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from phems.adapters.cpu_meter import CpuMeter
from phems.adapters.files.project_sizes import NodeSizes
from phems.adapters.postgres.mlflow_schemas import size_of
from phems.adapters.postgres.project_usage import PostgresProjectUsage
from phems.bootstrap.node import Node
from phems.domain.backups import BucketObject
from phems.engine.counted_starter import CountedStarter
from phems.engine.hosts import HostStatus
from phems.services.usage import UsageReport


def usage_of(node: Node) -> UsageReport:
    """The use case."""
    engine = node.database.engine("dagster")
    facts = PostgresProjectUsage(engine)

    def objects() -> Sequence[BucketObject]:
        s3 = node.written.storage.s3
        return [] if s3 is None else node.files.buckets().get(s3.bucket, [])

    sizes = NodeSizes(node.paths.data_dir, facts.run_ids, objects, partial(size_of, engine))
    return UsageReport(facts, sizes)


def meter_of(
    node: Node, hosts: Callable[[], Iterable[HostStatus]], counted: CountedStarter | None
) -> CpuMeter:
    """A meter over the hosts of this process, and over the steps that it performs."""
    return CpuMeter(
        lambda: [(host.project, host.pid) for host in hosts() if host.pid is not None],
        counted.take_told if counted is not None else dict,
        PostgresProjectUsage(node.database.engine("dagster")),
    )
