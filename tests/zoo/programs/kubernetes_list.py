"""A list and a missing object by the official client."""

import sys

from kubernetes import client, config

config.load_kube_config(sys.argv[3])
core = client.CoreV1Api()
assert core.list_namespaced_pod("default").kind == "PodList"
core.read_namespaced_secret("db-cred", "default")
