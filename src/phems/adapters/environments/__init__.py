"""Environments of projects: Python packages that a code revision locks, unpacked by the node."""
