"""Admission policies without an API server: their own rules matched and their own expressions evaluated."""

from typing import Any

from cel_expr_python import cel

GOVERN = "chaperone.dev/govern"


def is_allowed(spec: dict[str, Any], request: dict[str, Any], rights: tuple[tuple[str, str, str], ...] = ()) -> bool:
    """By a ValidatingAdmissionPolicy. `rights`: group, resource and verb, in the whole cluster, of who asks."""
    if not is_matched(spec, request):
        return True
    authorizer = {"rights": [list(right) for right in rights]}
    facts = {"oldObject": request.get("oldObject"), "object": request["object"], "request": request, "authorizer": authorizer}
    if not all(evaluated(condition["expression"], facts) for condition in spec["matchConditions"]):
        return True
    variables = {one["name"]: evaluated(one["expression"], facts) for one in spec["variables"]}
    return all(evaluated(one["expression"], facts | {"variables": variables}) for one in spec["validations"])


def is_matched(spec: dict[str, Any], request: dict[str, Any]) -> bool:
    """As the API server matches: `pods` is none of its subresources."""
    about = request["resource"]
    resource = about["resource"] + (f"/{request['subResource']}" if request["subResource"] else "")
    said = {"apiGroups": about["group"], "apiVersions": about["version"], "operations": request["operation"], "resources": resource}
    return any(all(one in rule[name] for name, one in said.items()) for rule in spec["matchConstraints"]["resourceRules"])


def asked(where: str, before: Any, after: Any, groups: Any = (), operation: str = "UPDATE") -> dict[str, Any]:
    """A request that changes labels. `where`: resource, and subresource behind a slash; None: an object without any label."""
    resource, _, sub = where.partition("/")
    old, new = ({"metadata": {} if labels is None else {"labels": labels}} for labels in (before, after))
    about = {"resource": {"group": "", "version": "v1", "resource": resource}, "subResource": sub, "operation": operation}
    whole = about | {"userInfo": {"groups": list(groups)}, "object": new}
    return whole | {"oldObject": old} if operation == "UPDATE" else whole


def evaluated(expression: str, facts: dict[str, Any]) -> Any:
    """A CEL expression's value."""
    kinds = dict.fromkeys(facts, cel.Type.DYN)
    program = cel.NewEnv(variables=kinds, extensions=[AUTHORIZER]).compile(expression)
    return program.eval(data=facts).plain_value()


def _member(name: str, texts: int, said: Any, kind: Any = cel.Type.DYN) -> Any:
    kinds = [cel.Type.DYN, *[cel.Type.STRING] * texts]
    overload = cel.Overload(id=f"authorizer_{name}", return_type=kind, parameters=kinds, is_member=True, impl=said)
    return cel.FunctionDecl(name, [overload])


# As Kubernetes has it (apiserver pkg/cel/library/authz.go): group, resource, check, allowed. No namespace: the whole cluster.
AUTHORIZER = cel.CelExtension(
    "authorizer",
    [
        _member("group", 1, lambda authorizer, group: authorizer | {"asked": [group]}),
        _member("resource", 1, lambda group, resource: group | {"asked": [*group["asked"], resource]}),
        _member("check", 1, lambda resource, verb: {"allowed": [*resource["asked"], verb] in resource["rights"]}),
        _member("allowed", 0, lambda decision: decision["allowed"], cel.Type.BOOL),
    ],
)
