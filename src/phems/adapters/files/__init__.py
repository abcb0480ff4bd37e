"""Folders of the node: Code Mount, artifact areas, frozen files, release zone."""
