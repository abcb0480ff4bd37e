"""What one step needs of its run's state, so that a fan-out of n steps does not carry n times n entries."""

from __future__ import annotations

from phems.engine._dagster import ExecutionStep, KnownExecutionState


class StepStates:
    """A run's state at one moment, made ready once for the many steps that begin at it."""

    def __init__(self, state: KnownExecutionState) -> None:
        self._state = state
        self._keys = {
            (key, name): frozenset(keys or ())
            for key, outputs in state.dynamic_mappings.items()
            for name, keys in outputs.items()
        }

    def of(self, step: ExecutionStep) -> KnownExecutionState:
        """The part that concerns `step`: its own attempts, its inputs, its own mapping key."""
        state = self._state
        inputs = {
            handle for given in step.step_inputs for handle in given.get_step_output_handle_dependencies()
        }
        attempts = {key: count for key, count in state.previous_retry_attempts.items() if key == step.key}
        mappings = state.dynamic_mappings
        mapping_key = getattr(step.handle, "mapping_key", None)
        if mapping_key is not None:  # Dagster lets no branch of a fan-out collect its siblings, or another's
            mappings = {
                key: {
                    name: [mapping_key] if mapping_key in self._keys[key, name] else keys
                    for name, keys in outputs.items()
                }
                for key, outputs in mappings.items()
            }
        return state._replace(
            previous_retry_attempts=attempts,
            dynamic_mappings=mappings,
            ready_outputs=inputs & state.ready_outputs,
        )
