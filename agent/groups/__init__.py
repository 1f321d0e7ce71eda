"""Cgroups as the kernel tells of them."""
