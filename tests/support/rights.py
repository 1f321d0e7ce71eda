"""What accounts may by the roles of a chart, and what requests need, as the API server's RBAC reads both."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from support.chart import named

from chaperone.collector.kube.call import RequestInfo
from chaperone.collector.kube.path import request_info
from chaperone.collector.kube.url.target import read_target

Object = dict[str, Any]


class Right(NamedTuple):
    """Granted or needed. `resource` with its subresource. `namespace` "": in all of them, or none; `name` "": whatever it is."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def allows(self, need: "Right") -> bool:
        """Source: pkg/apis/rbac/v1/evaluation_helpers.go. No role here has a `*`."""
        is_same = (self.verb, self.group, self.resource) == (need.verb, need.group, need.resource)
        return is_same and self.namespace in ("", need.namespace) and self.name in ("", need.name)


def granted(objects: list[Object], account: str) -> set[Right]:
    """To a service account (or a group), by all bindings."""
    return {
        Right(verb, group, resource, one["metadata"].get("namespace", ""), name)
        for one in objects
        if one["kind"] in ("RoleBinding", "ClusterRoleBinding") and account in [subject["name"] for subject in one["subjects"]]
        for rule in named(objects, one["roleRef"]["kind"], one["roleRef"]["name"])["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }


def needed(requests: Iterable[tuple[str, str]]) -> set[Right]:
    """By requests, as method and target."""
    return {_needed(request_info(method, read_target(target))[0]) for method, target in requests}


def problems(grants: set[Right], needs: set[Right]) -> Iterator[str]:
    """What is missing, what nobody needs, and what holds in more namespaces or for more names than are asked for."""
    yield from (f"{need} is not granted" for need in needs if not any(grant.allows(need) for grant in grants))
    for grant in grants:
        uses = [need for need in needs if grant.allows(need)]
        if not uses:
            yield f"nobody needs {grant}"
        for which in ("namespace", "name"):
            found = {getattr(need, which) for need in uses}
            if not getattr(grant, which) and len(found) == 1 and found != {""}:
                yield f"{grant} needs to hold for {which} {found.pop()} only"


def _needed(of: RequestInfo) -> Right:
    kind = f"{of.resource}/{of.subresource}" if of.subresource else of.resource
    return Right(of.verb, of.api_group, kind, of.namespace, of.name)
