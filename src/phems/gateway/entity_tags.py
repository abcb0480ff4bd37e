"""The entity tag of what a person is shown (RFC 9110, 8.8.3): for answers of the API and for forms."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import TypeAdapter


def etag(shown: Any) -> str:
    """The entity tag of what a person is shown."""
    return f'"{hashlib.sha256(TypeAdapter(type(shown)).dump_json(shown)).hexdigest()[:32]}"'
