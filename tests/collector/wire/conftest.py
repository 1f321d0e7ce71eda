"""Readers are tried on a machine that does other things too: no example has a deadline."""

from hypothesis import settings

settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")
