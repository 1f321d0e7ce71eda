"""Policies for tests."""

from chaperone.collector.rules.document import Rule, policies
from chaperone.collector.rules.ruleset import arranged

HEAD = "apiVersion: chaperone.dev/v1\nkind: Policy\nmetadata: {name: agents}\n"
EXAMPLE = (
    HEAD
    + """rules:
- name: no-privileged-exec
  when: call.resource == "pods" && call.subresource in ["exec", "attach"] && target.privileged
  do: deny
  enforce: enforce
  severity: high
  mitre: [T1609]
  message: "exec into privileged pod {call.namespace}/{call.name} by {process.exe}"
- name: secret-surge-then-egress
  when: call.resource == "secrets" && call.verb in ["get", "list", "watch"] && call.code < 300
  count: 10
  countOf: objects
  within: 60s
  by: workload
  then: {when: egress.external, within: 5m}
  do: alert
"""
)


def rules(text: str) -> tuple[Rule, ...]:
    """The rules of a policy's text, or of its rules alone."""
    return arranged(policies(text if text.startswith("apiVersion") else f"{HEAD}rules:\n{text}", "policy.yaml")).all
