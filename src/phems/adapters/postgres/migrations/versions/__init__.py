"""The migrations, a linear chain: the revision id is the file's number."""
