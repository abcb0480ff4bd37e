"""What a backup of a node's folder passes over: others' data and code, and the node's own areas."""

from __future__ import annotations

from pathlib import Path

from phems.nodespec import node_paths, parse_node
from phems.nodespec.kept_elsewhere import kept_elsewhere

SPEC = """
version: 1
node: {name: node-a}
controller: {name: A hospital}
release_zone: ../released
audit:
  anchors:
    share: {folder: {path: share}}
    web: {webhook: {url: "https://witness.example/"}}
data_sources:
  whas: {path: sources/whas.parquet, format: parquet}
projects:
  near: {code: {repo: code/near}, members: &all {output_checker: [a, b], information_asset_owner: [c]}}
  far: {code: {repo: "https://git.example/far.git"}, members: *all}
"""


def test_sources_code_and_the_node_s_own_areas_are_not_backed_up_with_its_folder() -> None:
    """Otherwise a backup holds the patient data themselves, and every backup all those before it."""
    paths = node_paths(parse_node(SPEC), Path("/srv/node"))
    kept = kept_elsewhere(parse_node(SPEC), paths, Path("/srv/node/backups/today"), Path("/mnt/other"))
    assert kept == {".git", "data", "sources/whas.parquet", "code/near", "share", "backups/today"}
