"""One cluster for the tests of this folder; each test ends what it started there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster_site import ClusterSite, cluster_site


@pytest.fixture(scope="module")
def whole_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSite]:
    """A namespace of a cluster."""
    with cluster_site(tmp_path_factory.mktemp("cluster")) as site:
        yield site


@pytest.fixture
def cluster(whole_cluster: ClusterSite) -> Iterator[ClusterSite]:
    """The same, with nothing running in it."""
    yield whole_cluster
    whole_cluster.close_runners()
