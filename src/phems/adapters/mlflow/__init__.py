"""MLflow, a server for each project: its process, its way to the database, and requests to it."""
