"""The only thing that people reach: Dagster's UI and GraphQL behind one login."""
