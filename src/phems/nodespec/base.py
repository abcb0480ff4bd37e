"""What every section of the node spec shares: no unknown keys, no change after reading, empty means unset."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """One mapping of node.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, data: Any) -> Any:
        # `projects:` with every line under it commented out is null in YAML; a person means "none".
        if isinstance(data, dict):
            known = cls.model_fields
            return {key: value for key, value in data.items() if value is not None or key not in known}
        return data
