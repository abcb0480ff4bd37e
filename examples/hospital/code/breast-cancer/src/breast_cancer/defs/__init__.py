"""The definitions that Dagster finds: jobs and resources."""
