"""How a step's requests to MLflow cross the wall: in parts of bounded size, with few headers."""

from __future__ import annotations

CHUNK_BYTES = 1 << 20
"""A body crosses in parts of at most so many bytes."""
REQUEST_HEADERS = frozenset({"accept", "content-type", "range"})
ANSWER_HEADERS = frozenset({"content-type", "content-disposition", "content-length", "content-range"})
