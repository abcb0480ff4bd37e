"""Postgres: the node's one metadata database, embedded or external, its roles, migrations and stores.

A `Database` has addresses and engines; `PostgresGovernance` gives transactions over them. The roles:

| role             | may                                                                    |
|------------------|------------------------------------------------------------------------|
| phems_admin      | be superuser of the embedded server: makes roles and schemas at a start |
| phems_owner      | own the schemas and run the migrations; nothing uses it after the start |
| phems_dagster    | everything in schema `dagster`, nothing elsewhere                      |
| phems_governance | rows of schema `governance`; INSERT and SELECT on `audit.entry`        |
"""
