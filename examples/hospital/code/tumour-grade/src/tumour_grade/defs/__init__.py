"""The definitions that Dagster finds: an asset, a job, resources."""
