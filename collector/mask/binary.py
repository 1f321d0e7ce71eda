"""Protobuf and CBOR bodies as the JSON that stands for them, ready to be masked as any other object."""

from base64 import b64encode
from typing import Any

from cbor2 import CBORTag

from chaperone.collector.kube.call import Body
from chaperone.collector.kube.protobuf import Message
from chaperone.collector.kube.render import object_view
from chaperone.collector.kube.render import view as message_view

DEEPEST = 120  # levels; below there is a note instead

# Kinds that the apiserver and its own aggregated APIs serve in protobuf (k8s.io/api, apimachinery pkg/apis/meta). Another kind could
# hold a secret at any field number, so its body is replaced as a whole. `XList` is known with X.
_KINDS = """
    APIGroup APIGroupList APIResourceList APIService APIVersions Binding CSIDriver CSINode CSIStorageCapacity CertificateSigningRequest
    ClusterRole ClusterRoleBinding ClusterTrustBundle ComponentStatus ConfigMap ControllerRevision CreateOptions CronJob
    CustomResourceDefinition DaemonSet DeleteOptions Deployment DeviceClass Endpoints EndpointSlice Event Eviction FlowSchema GetOptions
    HorizontalPodAutoscaler IPAddress Ingress IngressClass Job Lease LeaseCandidate LimitRange ListOptions LocalSubjectAccessReview
    MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration Namespace NetworkPolicy Node NodeMetrics
    PartialObjectMetadata PatchOptions PersistentVolume PersistentVolumeClaim Pod PodCertificateRequest PodDisruptionBudget PodExecOptions
    PodLogOptions PodMetrics PodTemplate PriorityClass PriorityLevelConfiguration ReplicaSet ReplicationController ResourceClaim
    ResourceClaimTemplate ResourceQuota ResourceSlice Role RoleBinding RuntimeClass Scale Secret SelfSubjectAccessReview SelfSubjectReview
    SelfSubjectRulesReview Service ServiceAccount ServiceCIDR StatefulSet Status StorageClass StorageVersion StorageVersionMigration
    SubjectAccessReview TokenRequest TokenReview UpdateOptions ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding
    ValidatingWebhookConfiguration VolumeAttachment VolumeAttributesClass WatchEvent Workload
"""
KINDS = frozenset(_KINDS.split())


def view(body: Body) -> dict[str, Any] | None:
    """A protobuf body as JSON values; None where its kind or its bytes are not known well enough to mask them in part."""
    message = body.object
    if not isinstance(message, Message) or message.broken:
        return None
    if message.type == "WatchEvent":
        return message_view(message)
    if (body.kind or message.type).removesuffix("List") not in KINDS:
        return None
    return object_view(body.api_version, body.kind or message.type, message)


def plain(value: Any, depth: int = 0) -> Any:
    """CBOR values as JSON has them (apimachinery pkg/runtime/serializer/cbor): strings may be bytes, and tag 22 says base64."""
    if depth > DEEPEST:
        return "too deep"
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, dict):
        return {_key(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, CBORTag):
        return _tagged(value, depth)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _tagged(tag: CBORTag, depth: int) -> Any:
    if tag.tag in (21, 22, 23) and isinstance(tag.value, bytes):  # RFC 8949 §3.4.5.2
        return b64encode(tag.value).decode()
    return plain(tag.value, depth + 1)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return b64encode(value).decode()


def _key(key: Any) -> str:
    return _text(key) if isinstance(key, bytes) else str(key)
