"""What a run capsule names of the Python that steps run with: on a cluster, the image, by its digest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from phems.adapters.host_plans import run_project
from phems.nodespec import NodeSpec, node_paths

NODE_S = "registry.example/phems/project@sha256:" + "0" * 64
OWN = "registry.example/phems/heart@sha256:" + "1" * 64


def named(profile: str, **project: Any) -> str | None:
    spec = NodeSpec.model_validate(
        {
            "version": 1,
            "node": {"name": "st-mary"},
            "controller": {"name": "St Mary"},
            "profile": profile,
            "kubernetes": {"image": NODE_S},
            "projects": {"heart": {"code": {"repo": "https://git.example/heart.git"}, **project}},
        }
    )
    return run_project(spec, node_paths(spec, Path("/node")), "heart", "1").interpreter


@pytest.mark.parametrize(
    ("profile", "project", "expected"),
    [
        ("server", {}, None),
        ("kubernetes", {}, f"steps in {NODE_S}"),
        ("kubernetes", {"kubernetes": {"image": OWN}}, f"steps in {OWN}"),
        (
            "kubernetes",
            {"environment": {"requirements": "requirements.txt"}},
            f"built from requirements.txt, steps in {NODE_S}",
        ),
    ],
)
def test_another_image_is_another_capsule(
    profile: str, project: dict[str, Any], expected: str | None
) -> None:
    """Otherwise an approval holds for whatever an image is replaced with."""
    assert named(profile, **project) == expected
