"""The Postgres form of each store port: one module a port, each given an open connection."""
