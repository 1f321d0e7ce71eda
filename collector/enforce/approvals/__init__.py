"""Requests that wait for people: who may decide, what becomes of each, and that it is used once."""
