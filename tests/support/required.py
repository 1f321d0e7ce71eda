"""What tests need of a machine. CI demands it; elsewhere the test is skipped."""

import os
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip the running test, or fail it if CHAPERONE_KERNEL_TESTS=require."""
    (pytest.fail if os.environ.get("CHAPERONE_KERNEL_TESTS") == "require" else pytest.skip)(reason)
