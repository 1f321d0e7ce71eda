"""Secrets in answers on their way to a program: where they are, byte by byte, so that as many bytes stand in their place."""
