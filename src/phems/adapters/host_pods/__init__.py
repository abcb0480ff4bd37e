"""Project hosts in pods of their own: the keys on either side, and the connections to them."""
