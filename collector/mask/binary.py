"""A protobuf body as the JSON that stands for it, ready to be masked as any other object."""

from typing import Any

from chaperone.collector.kube.call import Body
from chaperone.collector.kube.protobuf import Message
from chaperone.collector.kube.render import object_view
from chaperone.collector.kube.render import view as message_view

# Kinds that the apiserver and its own aggregated APIs serve in protobuf (k8s.io/api, apimachinery pkg/apis/meta). Another kind could
# hold a secret at any field number, so its body is replaced as a whole. `XList` is known with X.
_KINDS = """
    APIGroup APIGroupDiscovery APIResource APIService APIVersions Binding CSIDriver CSINode CSIStorageCapacity
    CertificateSigningRequest ClusterRole ClusterRoleBinding ClusterTrustBundle ComponentStatus ConfigMap ControllerRevision
    CreateOptions CronJob CustomResourceDefinition DaemonSet DeleteOptions Deployment DeviceClass EndpointSlice Endpoints Event
    Eviction FlowSchema GetOptions HorizontalPodAutoscaler IPAddress Ingress IngressClass Job Lease LeaseCandidate LimitRange
    ListOptions LocalSubjectAccessReview MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration
    Namespace NetworkPolicy Node NodeMetrics PartialObjectMetadata PatchOptions PersistentVolume PersistentVolumeClaim Pod
    PodAttachOptions PodCertificateRequest PodDisruptionBudget PodExecOptions PodGroup PodLogOptions PodMetrics
    PodPortForwardOptions PodProxyOptions PodStatusResult PodTemplate PriorityClass PriorityLevelConfiguration ReplicaSet
    ReplicationController ResourceClaim ResourceClaimTemplate ResourceQuota ResourceSlice Role RoleBinding RuntimeClass Scale Secret
    SelfSubjectAccessReview SelfSubjectReview SelfSubjectRulesReview Service ServiceAccount ServiceCIDR StatefulSet Status
    StorageClass StorageVersion StorageVersionMigration SubjectAccessReview TokenRequest TokenReview UpdateOptions
    ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration VolumeAttachment VolumeAttributesClass
    WatchEvent Workload
"""
KINDS = frozenset(_KINDS.split())


def view(body: Body) -> dict[str, Any] | None:
    """A protobuf body as JSON values; None where its kind or its bytes are not known well enough to mask them in part."""
    message = body.object
    if not isinstance(message, Message) or message.broken:
        return None
    if (body.kind or message.type).removesuffix("List") not in KINDS:
        return None
    if message.type == "WatchEvent":
        return message_view(message)
    return object_view(body.api_version, body.kind or message.type, message)
