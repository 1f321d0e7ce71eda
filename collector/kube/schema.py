"""Field numbers of the protobuf messages that identity, masking and rules look into.

One line a message: `name=number`, `*` behind a repeated field's number, `:type` unless it is a string. What is not here
is shown by its number. Source: the `generated.proto` of apimachinery pkg/apis/meta/v1, pkg/runtime and of api/*/v1.

Types: string int bool bytes; map (string→string), bytesmap (string→bytes), quantities (string→Quantity), Time (RFC 3339),
Quantity, IntOrString, Json (FieldsV1: Raw=1 holds JSON), Raw (RawExtension: raw=1 holds an envelope); else a message here.
"""

from dataclasses import dataclass

_TABLE = """
Unknown typeMeta=1:TypeMeta raw=2:bytes contentEncoding=3 contentType=4
TypeMeta apiVersion=1 kind=2
Object metadata=1:ObjectMeta
ObjectMeta name=1 generateName=2 namespace=3 selfLink=4 uid=5 resourceVersion=6 generation=7:int creationTimestamp=8:Time \
deletionTimestamp=9:Time deletionGracePeriodSeconds=10:int labels=11:map annotations=12:map ownerReferences=13*:OwnerReference \
finalizers=14* managedFields=17*:ManagedFieldsEntry
OwnerReference kind=1 name=3 uid=4 apiVersion=5 controller=6:bool blockOwnerDeletion=7:bool
ManagedFieldsEntry manager=1 operation=2 apiVersion=3 time=4:Time fieldsType=6 fieldsV1=7:Json subresource=8
ListMeta selfLink=1 resourceVersion=2 continue=3 remainingItemCount=4:int
LabelSelector matchLabels=1:map matchExpressions=2*:LabelSelectorRequirement
LabelSelectorRequirement key=1 operator=2 values=3*
Status metadata=1:ListMeta status=2 message=3 reason=4 details=5:StatusDetails code=6:int
StatusDetails name=1 group=2 kind=3 causes=4*:StatusCause retryAfterSeconds=5:int uid=6
StatusCause reason=1 message=2 field=3
WatchEvent type=1 object=2:Raw
DeleteOptions gracePeriodSeconds=1:int preconditions=2:Preconditions orphanDependents=3:bool propagationPolicy=4 dryRun=5*
Preconditions uid=1 resourceVersion=2
CreateOptions dryRun=1* fieldManager=3 fieldValidation=4
UpdateOptions dryRun=1* fieldManager=2 fieldValidation=3
PatchOptions dryRun=1* force=2:bool fieldManager=3 fieldValidation=4
APIVersions versions=1*
APIGroupList groups=1*:APIGroup
APIGroup name=1
APIResourceList groupVersion=1 resources=2*:APIResource
APIResource name=1 namespaced=2:bool kind=3 verbs=4:Verbs shortNames=5* singularName=6 categories=7* group=8 version=9
Verbs items=1*
PartialObjectMetadata metadata=1:ObjectMeta
LocalObjectReference name=1
ObjectReference kind=1 namespace=2 name=3 uid=4 apiVersion=5 resourceVersion=6 fieldPath=7
Secret metadata=1:ObjectMeta data=2:bytesmap type=3 stringData=4:map immutable=5:bool
ConfigMap metadata=1:ObjectMeta data=2:map binaryData=3:bytesmap immutable=4:bool
ServiceAccount metadata=1:ObjectMeta secrets=2*:ObjectReference imagePullSecrets=3*:LocalObjectReference automountServiceAccountToken=4:bool
TokenRequest metadata=1:ObjectMeta spec=2:TokenRequestSpec status=3:TokenRequestStatus
TokenRequestSpec audiences=1* boundObjectRef=3:BoundObjectReference expirationSeconds=4:int
TokenRequestStatus token=1 expirationTimestamp=2:Time
BoundObjectReference kind=1 apiVersion=2 name=3 uid=4
TokenReview metadata=1:ObjectMeta spec=2:TokenReviewSpec status=3:TokenReviewStatus
TokenReviewSpec token=1 audiences=2*
TokenReviewStatus authenticated=1:bool user=2:UserInfo error=3 audiences=4*
UserInfo username=1 uid=2 groups=3*
CertificateSigningRequest metadata=1:ObjectMeta spec=2:CertificateSigningRequestSpec status=3:CertificateSigningRequestStatus
CertificateSigningRequestSpec request=1:bytes username=2 uid=3 groups=4* usages=5* signerName=7 expirationSeconds=8:int
CertificateSigningRequestStatus certificate=2:bytes
Binding metadata=1:ObjectMeta target=2:ObjectReference
Event metadata=1:ObjectMeta involvedObject=2:ObjectReference reason=3 message=4 source=5:EventSource firstTimestamp=6:Time \
lastTimestamp=7:Time count=8:int type=9 eventTime=10:Time action=12 related=13:ObjectReference reportingComponent=14 reportingInstance=15
EventSource component=1 host=2
Namespace metadata=1:ObjectMeta spec=2:NamespaceSpec status=3:NamespaceStatus
NamespaceSpec finalizers=1*
NamespaceStatus phase=1
Pod metadata=1:ObjectMeta spec=2:PodSpec status=3:PodStatus
PodStatus phase=1 message=3 reason=4 hostIP=5 podIP=6 startTime=7:Time qosClass=9 nominatedNodeName=11
PodTemplate metadata=1:ObjectMeta template=2:PodTemplateSpec
PodTemplateSpec metadata=1:ObjectMeta spec=2:PodSpec
PodSpec volumes=1*:Volume containers=2*:Container restartPolicy=3 terminationGracePeriodSeconds=4:int activeDeadlineSeconds=5:int \
dnsPolicy=6 nodeSelector=7:map serviceAccountName=8 serviceAccount=9 nodeName=10 hostNetwork=11:bool hostPID=12:bool hostIPC=13:bool \
imagePullSecrets=15*:LocalObjectReference hostname=16 subdomain=17 schedulerName=19 initContainers=20*:Container \
automountServiceAccountToken=21:bool priorityClassName=24 priority=25:int shareProcessNamespace=27:bool runtimeClassName=29 \
enableServiceLinks=30:bool preemptionPolicy=31 ephemeralContainers=34*:EphemeralContainer hostUsers=37:bool
Volume name=1 volumeSource=2:VolumeSource
VolumeSource hostPath=1:HostPath secret=6:SecretVolume persistentVolumeClaim=10:ClaimVolume configMap=19:ConfigMapVolume
HostPath path=1 type=2
SecretVolume secretName=1
ClaimVolume claimName=1 readOnly=2:bool
ConfigMapVolume localObjectReference=1:LocalObjectReference
Container name=1 image=2 command=3* args=4* workingDir=5 ports=6*:ContainerPort env=7*:EnvVar volumeMounts=9*:VolumeMount \
livenessProbe=10:Probe readinessProbe=11:Probe lifecycle=12:Lifecycle terminationMessagePath=13 imagePullPolicy=14 \
securityContext=15:SecurityContext stdin=16:bool stdinOnce=17:bool tty=18:bool envFrom=19*:EnvFromSource terminationMessagePolicy=20 \
startupProbe=22:Probe
ContainerPort name=1 hostPort=2:int containerPort=3:int protocol=4 hostIP=5
VolumeMount name=1 readOnly=2:bool mountPath=3 subPath=4
EnvVar name=1 value=2 valueFrom=3:EnvVarSource
EnvVarSource configMapKeyRef=3:KeySelector secretKeyRef=4:KeySelector
KeySelector localObjectReference=1:LocalObjectReference key=2 optional=3:bool
EnvFromSource prefix=1 configMapRef=2:EnvSource secretRef=3:EnvSource
EnvSource localObjectReference=1:LocalObjectReference optional=2:bool
EphemeralContainer ephemeralContainerCommon=1:Container targetContainerName=2
Probe handler=1:Handler initialDelaySeconds=2:int timeoutSeconds=3:int periodSeconds=4:int successThreshold=5:int failureThreshold=6:int
Lifecycle postStart=1:Handler preStop=2:Handler
Handler exec=1:ExecAction httpGet=2:HTTPGetAction
ExecAction command=1*
HTTPGetAction path=1 port=2:IntOrString host=3 scheme=4 httpHeaders=5*:HTTPHeader
HTTPHeader name=1 value=2
SecurityContext capabilities=1:Capabilities privileged=2:bool runAsUser=4:int runAsNonRoot=5:bool readOnlyRootFilesystem=6:bool \
allowPrivilegeEscalation=7:bool runAsGroup=8:int procMount=9
Capabilities add=1* drop=2*
ReplicationController metadata=1:ObjectMeta spec=2:ReplicationControllerSpec
ReplicationControllerSpec replicas=1:int selector=2:map template=3:PodTemplateSpec
Deployment metadata=1:ObjectMeta spec=2:WorkloadSpec
ReplicaSet metadata=1:ObjectMeta spec=2:WorkloadSpec
StatefulSet metadata=1:ObjectMeta spec=2:WorkloadSpec
WorkloadSpec replicas=1:int selector=2:LabelSelector template=3:PodTemplateSpec
DaemonSet metadata=1:ObjectMeta spec=2:DaemonSetSpec
DaemonSetSpec selector=1:LabelSelector template=2:PodTemplateSpec
Job metadata=1:ObjectMeta spec=2:JobSpec
JobSpec parallelism=1:int completions=2:int activeDeadlineSeconds=3:int selector=4:LabelSelector template=6:PodTemplateSpec
CronJob metadata=1:ObjectMeta spec=2:CronJobSpec
CronJobSpec schedule=1 startingDeadlineSeconds=2:int concurrencyPolicy=3 suspend=4:bool jobTemplate=5:JobTemplateSpec
JobTemplateSpec metadata=1:ObjectMeta spec=2:JobSpec
ClusterRole metadata=1:ObjectMeta rules=2*:PolicyRule
Role metadata=1:ObjectMeta rules=2*:PolicyRule
PolicyRule verbs=1* apiGroups=2* resources=3* resourceNames=4* nonResourceURLs=5*
ClusterRoleBinding metadata=1:ObjectMeta subjects=2*:Subject roleRef=3:RoleRef
RoleBinding metadata=1:ObjectMeta subjects=2*:Subject roleRef=3:RoleRef
Subject kind=1 apiGroup=2 name=3 namespace=4
RoleRef apiGroup=1 kind=2 name=3
Scale metadata=1:ObjectMeta spec=2:ScaleSpec status=3:ScaleStatus
ScaleSpec replicas=1:int
ScaleStatus replicas=1:int
"""


@dataclass(frozen=True, slots=True)
class Slot:
    """A known field: its JSON name, its type, and whether it repeats."""

    name: str
    type: str
    repeated: bool


Type = dict[int, Slot]


def _slot(text: str) -> tuple[int, Slot]:
    name, _, rest = text.partition("=")
    number, _, kind = rest.partition(":")
    return int(number.rstrip("*")), Slot(name, kind or "string", number.endswith("*"))


def _types(table: str) -> dict[str, Type]:
    rows = (line.split() for line in table.strip().splitlines())
    return {name: dict(map(_slot, fields)) for name, *fields in rows}


_TYPES = _types(_TABLE)


def type_of(name: str) -> Type:
    """The fields of a message type. A list of anything has `metadata` and `items`; any other object has `metadata`."""
    if name in _TYPES:
        return _TYPES[name]
    if name.endswith("List"):
        return {1: Slot("metadata", "ListMeta", False), 2: Slot("items", name.removesuffix("List"), True)}
    return _TYPES["Object"] if name[:1].isupper() else {}
