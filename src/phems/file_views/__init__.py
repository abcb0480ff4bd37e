"""Reads hostile files for people who review them, in a process of its own: one order in, one view out.

As the output checks do, it runs walled off, and nothing of the node imports it (`adapters.file_viewer` starts
it). What it gives is plain data that pages escape.
"""
