"""What alembic runs: the migrations, in the transaction that `migrate` opened."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="schema_version",
    version_table_schema="governance",
    transactional_ddl=True,
)
context.run_migrations()
