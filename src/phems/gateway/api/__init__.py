"""The REST API of governance: every verb of the command line, for whoever reaches the gateway alone.

`lazy.LazyApi` is what the gateway mounts at `/api`; the rest, and FastAPI with it, is imported by the first
request. One module for each noun; `app` puts them together.
"""
