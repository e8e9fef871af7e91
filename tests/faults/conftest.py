"""What tests of faults share: one cluster of two nodes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nodes import Cluster, cluster


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[Cluster]:
    """A head and a node that has one `special`; nodes takes care that both live."""
    with cluster(0) as joined:
        joined.join('{"special": 1}')
        joined.wait(2)
        yield joined


@pytest.fixture
def nodes(two_nodes: Cluster) -> Cluster:
    """The two nodes, started anew where a test before has killed one."""
    if any(node.process.poll() is not None for node in two_nodes.nodes):
        two_nodes.wait(2)
    return two_nodes
