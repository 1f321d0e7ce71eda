"""Bytes of one stream to events and exchanges. Pure: no I/O, no clock, no exception."""
