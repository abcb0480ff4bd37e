"""What ports are made of: Postgres, files, git, the sandbox, signing."""
