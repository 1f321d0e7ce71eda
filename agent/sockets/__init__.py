"""Sockets: which TLS object speaks on which, how many bytes each carried, and whether all of it was captured."""
