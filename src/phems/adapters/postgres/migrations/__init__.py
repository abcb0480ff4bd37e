"""Alembic's migrations of the schemas `governance` and `audit`, in explicit SQL, packaged in the wheel.

Tables made in schema `governance` are granted to `phems_governance` by default privileges
(see `provision.py`): a migration there needs no GRANT of its own. Dagster makes its own tables.
"""
