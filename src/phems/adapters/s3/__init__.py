"""An S3-compatible service: the buckets for artifacts and for the release zone."""
