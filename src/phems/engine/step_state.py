"""What one step needs of its run's state, so that a fan-out of n steps does not carry n times n entries."""

from __future__ import annotations

from collections.abc import Sequence

from phems.engine._dagster import ExecutionStep, KnownExecutionState


def state_for(step: ExecutionStep, state: KnownExecutionState) -> KnownExecutionState:
    """The part of `state` that concerns `step`: its own attempts, its inputs, its own mapping key."""
    inputs = {handle for given in step.step_inputs for handle in given.get_step_output_handle_dependencies()}
    attempts = {key: count for key, count in state.previous_retry_attempts.items() if key == step.key}
    mappings = state.dynamic_mappings
    mapping_key = getattr(step.handle, "mapping_key", None)
    if mapping_key is not None:  # Dagster lets no branch of a fan-out collect its siblings, or another's
        mappings = {
            key: {name: _only(mapping_key, keys) for name, keys in outputs.items()}
            for key, outputs in mappings.items()
        }
    return state._replace(
        previous_retry_attempts=attempts,
        dynamic_mappings=mappings,
        ready_outputs={handle for handle in state.ready_outputs if handle in inputs},
    )


def _only(mapping_key: str, keys: Sequence[str] | None) -> list[str] | None:
    if keys is None:
        return None
    return [mapping_key] if mapping_key in keys else list(keys)
