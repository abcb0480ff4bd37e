"""The definitions that Dagster finds: assets, checks, jobs, schedule, sensor, resources."""
