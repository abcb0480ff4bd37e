"""The governance pages: what people see and do in a browser, rendered here, without a script if need be.

A module per subject (`home`, `projects`, ...) holds a table of `Page`s; `routes` puts the tables together.
"""
