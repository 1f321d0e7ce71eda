"""Which kind a resource's objects are, for bodies that do not say: patches, and Status-less fragments.

Source: the API reference of 1.36. A subresource with a kind of its own is `resource/subresource`; others are the resource's.
"""

_KINDS = """
bindings=Binding componentstatuses=ComponentStatus configmaps=ConfigMap endpoints=Endpoints events=Event limitranges=LimitRange
namespaces=Namespace namespaces/finalize=Namespace nodes=Node persistentvolumeclaims=PersistentVolumeClaim
persistentvolumes=PersistentVolume pods=Pod pods/binding=Binding pods/eviction=Eviction podtemplates=PodTemplate
replicationcontrollers=ReplicationController resourcequotas=ResourceQuota secrets=Secret serviceaccounts=ServiceAccount
serviceaccounts/token=TokenRequest services=Service controllerrevisions=ControllerRevision daemonsets=DaemonSet
deployments=Deployment replicasets=ReplicaSet statefulsets=StatefulSet tokenreviews=TokenReview
selfsubjectreviews=SelfSubjectReview subjectaccessreviews=SubjectAccessReview selfsubjectaccessreviews=SelfSubjectAccessReview
selfsubjectrulesreviews=SelfSubjectRulesReview localsubjectaccessreviews=LocalSubjectAccessReview
horizontalpodautoscalers=HorizontalPodAutoscaler cronjobs=CronJob jobs=Job
certificatesigningrequests=CertificateSigningRequest clustertrustbundles=ClusterTrustBundle leases=Lease
endpointslices=EndpointSlice flowschemas=FlowSchema prioritylevelconfigurations=PriorityLevelConfiguration
ingressclasses=IngressClass ingresses=Ingress networkpolicies=NetworkPolicy runtimeclasses=RuntimeClass
poddisruptionbudgets=PodDisruptionBudget clusterrolebindings=ClusterRoleBinding clusterroles=ClusterRole
rolebindings=RoleBinding roles=Role priorityclasses=PriorityClass csidrivers=CSIDriver csinodes=CSINode
csistoragecapacities=CSIStorageCapacity storageclasses=StorageClass volumeattachments=VolumeAttachment
mutatingwebhookconfigurations=MutatingWebhookConfiguration validatingwebhookconfigurations=ValidatingWebhookConfiguration
validatingadmissionpolicies=ValidatingAdmissionPolicy validatingadmissionpolicybindings=ValidatingAdmissionPolicyBinding
mutatingadmissionpolicies=MutatingAdmissionPolicy mutatingadmissionpolicybindings=MutatingAdmissionPolicyBinding
customresourcedefinitions=CustomResourceDefinition apiservices=APIService deviceclasses=DeviceClass
resourceclaims=ResourceClaim resourceclaimtemplates=ResourceClaimTemplate resourceslices=ResourceSlice
"""
KINDS = dict(pair.split("=") for pair in _KINDS.split())


def kind_of(resource: str, subresource: str) -> str:
    """The kind of what a URL names, "" if not known."""
    if subresource == "scale":
        return "Scale"
    return KINDS.get(f"{resource}/{subresource}") or KINDS.get(resource, "")
