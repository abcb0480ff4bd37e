"""A node that pip alone installed has the program that unpacks the packages of projects."""

from __future__ import annotations

from importlib.metadata import distribution

from packaging.requirements import Requirement


def test_the_extra_of_the_control_plane_brings_uv() -> None:
    """Otherwise the first project with a lock file fails, on every node that no checkout has set up."""
    needed = [Requirement(text) for text in distribution("phems-node").requires or ()]
    (uv,) = (each for each in needed if each.name == "uv")
    assert uv.marker is not None
    assert uv.marker.evaluate({"extra": "node"})
    assert not uv.marker.evaluate({"extra": ""}), "project code would be given it, too"
