"""Checks on declared tables: can a person be picked out of it, by itself or beside all that went before?

Pure algorithms over `DeclaredTable`; nothing is read but the files of the order.
"""
