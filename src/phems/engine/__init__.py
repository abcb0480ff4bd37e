"""The Dagster control plane: admission choke point, orchestrator, storage service."""
