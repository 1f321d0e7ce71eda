"""What the audit log's hasRequestObject and hasResponseObject would say of a call."""

from chaperone.collector.kube.call import Call


def has_request_object(call: Call) -> bool:
    """Was a body sent that the apiserver could decode?"""
    return call.request_body is not None and bool(call.request_body.kind)


def has_response_object(call: Call) -> bool:
    """Was an object answered? Never for watch, log, 101, 304, /version, /openapi."""
    return call.response_body is not None and bool(call.response_body.kind)
