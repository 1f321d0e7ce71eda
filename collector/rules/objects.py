"""A policy as an object of the API → the policy of a file with the same keys. What is the API server's own is left out."""

from collections.abc import Mapping
from typing import Any

import yaml

from chaperone.collector.nodes import PolicyError
from chaperone.collector.parts import mapping, mappings, text
from chaperone.collector.rules.document import API_VERSION, Policy, policies

Object = Mapping[str, Any]
PREFIX = "policies.chaperone.dev/"  # in the place of a file's name
OWN = ("status", "metadata", "apiVersion", "kind")


def name_of(one: Object) -> str:
    """Its name; "" where it has none."""
    return text(mapping(one, "metadata"), "name")


def text_of(one: Object) -> str:
    """As a file would have it."""
    said = {key: value for key, value in one.items() if key not in OWN}
    whole = {"apiVersion": API_VERSION, "kind": "Policy", "metadata": {"name": name_of(one)}, **said}
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=140)


def policy_of(one: Object) -> Policy:
    """PolicyError at the first mistake."""
    (found,) = policies(text_of(one), PREFIX + name_of(one))
    return found


def complaint(error: PolicyError) -> str:
    """What is wrong, with its key and the line of the object as a file."""
    return f"line {error.line}: {error.key + ': ' if error.key else ''}{error.problem}"


def author_of(one: Object) -> str:
    """Who changed it last, as far as the API tells: the program that did, not the person."""
    entries = [each for each in mappings(mapping(one, "metadata"), "managedFields") if each and each.get("subresource") != "status"]
    last = max(entries, key=lambda each: str(each.get("time", "")), default={})
    manager, operation = str(last.get("manager", "")), str(last.get("operation", ""))
    return f"manager {manager[:200]} ({operation[:20]})" if manager else "unknown"
