"""A node at an address, as commands see it: its REST API behind the Protocols of `phems.cli.ports`.

`connection` speaks HTTP and says what is wrong with the way there; `api` speaks the API's JSON; each other
module is one noun. Nothing here is imported by a command that works on a folder.
"""
