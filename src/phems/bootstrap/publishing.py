"""The publisher of a node, wired to its release zone, its key and what the engine knows of runs."""

from __future__ import annotations

from phems import __version__
from phems.adapters.postgres.engine_runs import PostgresEngineRuns
from phems.adapters.release_package.dsse import DssePackageSigner
from phems.adapters.release_package.readme import write_readme
from phems.bootstrap.node import Node
from phems.domain.release_facts import NodeIdentity
from phems.services.package_parts import PackageParts
from phems.services.publisher import Publisher
from phems.services.vote_signatures import VoteSignatures


def publisher_of(node: Node) -> Publisher:
    """The use case that moves approved requests to the release zone."""
    return Publisher(
        node.governance,
        node.files.frozen,
        node.files.release_zone,
        PackageParts(
            NodeIdentity(node.spec.node.name, node.spec.controller.name, __version__),
            DssePackageSigner(node.release_key),
            write_readme,
            PostgresEngineRuns(node.database.engine("dagster")),
        ),
        VoteSignatures(node.approval_signatures),
        node.clock,
    )
