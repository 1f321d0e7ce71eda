"""The schema of policies as objects of the API: `policies.chaperone.dev`, made of the same words as document.py reads.

An object has the keys of a file; so a file can be applied as it is. What only reading can find (conditions, words that are known too late)
is told in the object's status.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from chaperone.collector.rules.consent import APPROVER, MOST
from chaperone.collector.rules.document import (
    COUNT_LIMIT,
    POLICY_KEYS,
    RULE_KEYS,
    RULE_LIMIT,
    TECHNIQUE,
    By,
    CountOf,
    OnUnknown,
    PhaseName,
)
from chaperone.collector.rules.selector import KEYS as SELECTOR
from chaperone.collector.rules.spared import Spared
from chaperone.collector.rules.terms import Bodies, Keeping, ModeName, OnFailure, Scan, Uncovered
from chaperone.collector.rules.verdict import Action, Ends, Enforce, How, Severity

Schema = dict[str, Any]
GROUP, VERSION, PLURAL, KIND = "chaperone.dev", "v1", "policies", "Policy"
TEXT: Schema = {"type": "string", "minLength": 1}
TIME: Schema = {"type": "string", "pattern": r"^[0-9]{1,9}(ms|s|m|h)$"}
NAMES: Schema = {"type": "array", "items": TEXT}
_OWN = ("apiVersion", "kind", "metadata")  # the API server's


def _choice(kind: type[StrEnum]) -> Schema:
    return {"type": "string", "enum": [str(one) for one in kind]}


def _object(properties: Mapping[str, Schema], *required: str) -> Schema:
    found: Schema = {"type": "object", "properties": dict(properties)}
    return found | ({"required": list(required)} if required else {})


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _count(lowest: int, highest: int) -> Schema:
    return {"type": "integer", "minimum": lowest, "maximum": highest}


RULE: dict[str, Schema] = {
    "name": TEXT,
    "description": TEXT,
    "phase": _choice(PhaseName),
    "when": TEXT,
    "count": _count(1, COUNT_LIMIT),
    "countOf": _choice(CountOf),
    "within": TIME,
    "by": _choice(By),
    "distinct": TEXT,
    "then": _object({"when": TEXT, "within": TIME}, "when", "within"),
    "do": _choice(Action),
    "enforce": _choice(Enforce) | {"description": "observe where it is not said: reported, and not carried out"},
    "severity": _choice(Severity),
    "mitre": _list({"type": "string", "pattern": f"^{TECHNIQUE}$"}),
    "message": TEXT,
    "exceptions": _list(_object({"pod": TEXT, "serviceAccount": TEXT})),
    "onUnknown": _choice(OnUnknown),
    "kill": _choice(Ends),
    "how": _choice(How),
    "approvals": _count(1, MOST),
    "approvers": _list({"type": "string", "pattern": f"^{APPROVER.pattern}$"}),
    "expires": TIME,
    "holdLimit": TIME,
}
POLICY: dict[str, Schema] = {
    "selector": _object({key: {"type": "object", "additionalProperties": TEXT} if key == "labels" else NAMES for key in SELECTOR}),
    "mode": _choice(ModeName),
    "onFailure": _choice(OnFailure),
    "verdictTimeout": TIME,
    "holdLimit": TIME,
    "uncovered": _choice(Uncovered),
    "unreadable": _choice(OnFailure),
    "record": _choice(Keeping),
    "bodies": _choice(Bodies),
    "egress": _object({"scan": _choice(Scan)}, "scan"),
    "spares": _list(_choice(Spared)),
    "macros": _list(_object({"name": TEXT, "when": TEXT}, "name", "when")),
    "lists": _list(_object({"name": TEXT, "items": NAMES}, "name", "items")),
    "rules": _list(_object(RULE, "name", "when", "do")) | {"maxItems": RULE_LIMIT},
}
STATUS: dict[str, Schema] = {
    "accepted": {"type": "boolean", "description": "whether this generation is in force; if not, the last that was accepted stays so"},
    "message": {"type": "string", "description": "why it is not: the key, and what was expected; which collector has not taken it"},
    "observedGeneration": {"type": "integer", "format": "int64"},
    "rules": {"type": "integer"},
    "nodes": {
        "type": "array",
        "items": {"type": "string"},
        "description": "whose agents have been told; the first 100",
    },
    "nodeCount": {"type": "integer"},
}
assert set(RULE) == set(RULE_KEYS) and set(POLICY) | set(_OWN) == set(POLICY_KEYS)
_COLUMNS = (
    ("Accepted", "boolean", ".status.accepted"),
    ("Rules", "integer", ".status.rules"),
    ("Nodes", "integer", ".status.nodeCount"),
    ("Mode", "string", ".mode"),
    ("Message", "string", ".status.message"),
    ("Age", "date", ".metadata.creationTimestamp"),
)


def definition() -> Schema:
    """The CustomResourceDefinition. Removing the chart leaves it and all policies where they are."""
    own: dict[str, Schema] = {key: {"type": "object" if key == "metadata" else "string"} for key in _OWN}
    whole = _object({**own, **POLICY, "status": _object(STATUS)}, "rules")
    columns = [{"name": name, "type": kind, "jsonPath": path} for name, kind, path in _COLUMNS]
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": whole},
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
    }
    names = {"kind": KIND, "listKind": f"{KIND}List", "plural": PLURAL, "singular": "policy", "categories": ["chaperone"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "annotations": {"helm.sh/resource-policy": "keep"}},
        "spec": {"group": GROUP, "scope": "Cluster", "names": names, "versions": [version]},
    }
