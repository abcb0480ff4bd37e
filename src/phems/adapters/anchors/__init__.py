"""Outside anchors of the audit log: a folder elsewhere, a web service, an S3 bucket with object lock."""
