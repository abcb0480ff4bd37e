"""Numbers of a node."""

from __future__ import annotations

from phems.domain.gauges import Gauge


def test_the_labels_are_those_of_its_values() -> None:
    assert Gauge("hosts", "Hosts.", [({"state": "READY"}, 1)]).labels == ("state",)
    assert Gauge("hosts", "Hosts.", []).labels == ()
