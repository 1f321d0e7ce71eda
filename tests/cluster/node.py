"""A Kubernetes cluster of one node, of real parts: etcd, kube-apiserver, controller manager, scheduler, kube-proxy, containerd, kubelet.

It lives in namespaces of its own for network, mounts and processes, as a node of kind does; with its first process all of it ends.
`make.sh` has made what runs. Kubernetes is 1.20, the newest whose servers' source Debian has: what the chart asks of a newer one is
taken out of a copy of it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
KUBECTL, HELM, CHAPERONE = (Path(sys.prefix) / where for where in ("bin/kubectl", "tools/helm", "bin/chaperone"))
ADDRESS, SERVICES, PODS = "10.200.0.2", "10.96.0.0/16", "10.244.0.0/24"
SERVER = "DNS:kubernetes.default.svc,DNS:kubernetes.default,DNS:kubernetes,IP:10.96.0.1,IP:127.0.0.1,IP:" + ADDRESS
# Who has a certificate, as which subject.
SUBJECTS = {
    "apiserver": "/CN=kube-apiserver",
    "admin": "/O=system:masters/CN=admin",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kube-proxy": "/CN=system:kube-proxy",
    "kubelet": "/O=system:nodes/CN=system:node:n1",
}
# The node's first process: mounts and a network of its own, then it waits for whoever ends.
INIT = """
set -e
mount --make-rprivate /
for name in run log lib; do mkdir -p $0/node/$name; done
if [ "$(stat -f -c %T $0)" = overlayfs ]; then mount -t tmpfs layers $0/containerd; fi # images' layers can't lie on layers
mount --bind $0/node/run /run && mount --bind $0/node/log /var/log && mount --bind $0/node/lib /var/lib && mount --make-rshared /
ip link add eth0 type veth peer name eth1
for name in lo eth0 eth1; do ip link set $name up; done
ip address add $1/24 dev eth0
ip route add default dev eth0
echo 1 > /proc/sys/net/ipv4/ip_forward
trap 'exit 0' TERM
echo ready
while :; do wait; sleep 1; done
"""
NETWORK = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]},
        }
    ],
}
CONTAINERD = """
version = 2
root = "{folder}/containerd"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/local/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{folder}/root/usr/lib/cni"
    conf_dir = "{folder}/node"
"""
CONNTRACK = ("max-per-core", "tcp-timeout-established", "tcp-timeout-close-wait")
AS_THE_MACHINE_HAS_IT = [f"--conntrack-{name}=0" for name in CONNTRACK]
SYS_RESOURCE = 1 << 24


@dataclass(slots=True)
class Cluster:
    """`folder`: what make.sh made, and all that this cluster writes; `first`: the node's first process."""

    folder: Path
    first: int

    def inside(self, *argv: str | Path) -> list[str]:
        """What runs a command on the node."""
        return ["nsenter", "-t", str(self.first), "-n", "-m", "-p", "--", *map(str, argv)]

    def run(self, *argv: str | Path, given: str = "", check: bool = True, timeout: float = 300) -> "subprocess.CompletedProcess[str]":
        """On the node, as its administrator. AssertionError with what it said if it fails."""
        done = subprocess.run(
            self.inside(*argv), input=given, capture_output=True, text=True, timeout=timeout, check=False, env=self.environment
        )
        assert not check or done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done

    def kubectl(self, *argv: str, given: str = "", check: bool = True) -> "subprocess.CompletedProcess[str]":
        return self.run(KUBECTL, *argv, given=given, check=check)

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(objects))

    def get(self, *argv: str) -> Any:
        return json.loads(self.kubectl("get", *argv, "-o", "json").stdout)

    @property
    def environment(self) -> dict[str, str]:
        root = self.folder / "root"
        libraries = root / "usr/lib/x86_64-linux-gnu"
        return {
            "PATH": f"{self.folder}/bin:{root}/usr/sbin:{root}/usr/bin:{os.defpath}:/usr/sbin:/sbin",
            "LD_LIBRARY_PATH": str(libraries),
            "XTABLES_LIBDIR": str(libraries / "xtables"),
            "KUBECONFIG": str(self.folder / "pki/admin.kubeconfig"),
            "HOME": str(self.folder / "node"),
            "PYTHONPATH": str(ROOT / "tests"),
        }

    def audited(self) -> list[dict[str, Any]]:
        """What the API server says it was asked, and answered."""
        whole, _, _ = (self.folder / "node/audit.log").read_text().rpartition("\n")
        return [event for event in map(json.loads, whole.splitlines()) if event["stage"] == "ResponseComplete"]

    def start(self, name: str, *argv: str | Path) -> None:
        """A part of the cluster, which ends with the node."""
        with (self.folder / f"node/{name}.out").open("ab") as said:
            subprocess.Popen(
                self.inside(*argv), stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=self.environment, start_new_session=True
            )


def until(condition: Callable[[], object], seconds: float = 120, what: Callable[[], object] = lambda: "") -> None:
    """`what` says why it did not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.5)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """One that is ready for pods, with Chaperone's images. No other kubelet may be on this machine."""
    assert not _groups(), "a kubelet has its pods here already"
    for name in ("node", "pki", "etcd", "containerd", "kubelet"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    _certificates(folder / "pki")
    argv = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", INIT, str(folder), ADDRESS]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as outside:
        try:
            assert outside.stdout and outside.stdout.readline() == "ready\n"
            made = Cluster(folder, _child_of(outside.pid))
            _start(made)
            yield made
        finally:
            outside.kill()
    _remove_groups()


def _child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _certificates(folder: Path) -> None:
    def openssl(*argv: str) -> None:
        subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", "/CN=cluster", "-keyout", "ca.key", "-out", "ca.crt")
    openssl("genrsa", "-out", "accounts.key", "2048")
    for name, subject in SUBJECTS.items():
        names = SERVER if name == "apiserver" else f"IP:{ADDRESS}"
        (folder / "usage").write_text(f"extendedKeyUsage=clientAuth,serverAuth\nsubjectAltName={names}\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signer = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "9", "-extfile", "usage"]
        openssl("x509", "-req", "-in", f"{name}.csr", *signer, "-out", f"{name}.crt")
        user = {"client-certificate": str(folder / f"{name}.crt"), "client-key": str(folder / f"{name}.key")}
        server = {"server": f"https://{ADDRESS}:6443", "certificate-authority": str(folder / "ca.crt")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": server}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        (folder / f"{name}.kubeconfig").write_text(yaml.safe_dump(config))


def _start(made: Cluster) -> None:
    folder, pki, node = made.folder, made.folder / "pki", made.folder / "node"
    (node / "pods.conflist").write_text(json.dumps(NETWORK))
    (node / "containerd.toml").write_text(CONTAINERD.format(folder=folder))
    (node / "resolv.conf").write_text(f"nameserver {ADDRESS}\n")
    (node / "audit.yaml").write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n")
    (node / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(pki, node)))
    etcd = "http://127.0.0.1:2379"
    peers = ("--listen-peer-urls", "http://127.0.0.1:2380", "--unsafe-no-fsync")
    made.start("etcd", "etcd", "--data-dir", folder / "etcd", "--listen-client-urls", etcd, "--advertise-client-urls", etcd, *peers)
    made.start(
        "kube-apiserver",
        "kube-apiserver",
        f"--etcd-servers={etcd}",
        f"--service-cluster-ip-range={SERVICES}",
        f"--advertise-address={ADDRESS}",
        "--allow-privileged=true",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/accounts.key",
        f"--service-account-signing-key-file={pki}/accounts.key",
        f"--kubelet-client-certificate={pki}/admin.crt",
        f"--kubelet-client-key={pki}/admin.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-log-path={node}/audit.log",
        f"--audit-policy-file={node}/audit.yaml",
    )
    until(lambda: made.kubectl("get", "--raw", "/readyz", check=False).returncode == 0, what=lambda: _said(node / "kube-apiserver.out"))
    keys = (f"--service-account-private-key-file={pki}/accounts.key", f"--root-ca-file={pki}/ca.crt")
    for name, *options in (
        ("kube-controller-manager", "--leader-elect=false", "--use-service-account-credentials=true", *keys),
        ("kube-scheduler", "--leader-elect=false"),
        ("kube-proxy", "--proxy-mode=iptables", "--hostname-override=n1", *AS_THE_MACHINE_HAS_IT),
    ):
        made.start(name, name, f"--kubeconfig={pki}/{name}.kubeconfig", *options)
    made.start("names", sys.executable, Path(__file__).parent / "names.py", KUBECTL, pki / "admin.kubeconfig", ADDRESS)
    made.start("containerd", "containerd", "-c", node / "containerd.toml")
    until(lambda: made.run("ctr", "version", check=False).returncode == 0, what=lambda: _said(node / "containerd.out"))
    for image in (folder / "images/pause.tar", ROOT / "dist/chaperone-agent.tar", ROOT / "dist/chaperone-collector.tar"):
        made.run("ctr", "-n", "k8s.io", "images", "import", image)
    made.start(
        "kubelet",
        "kubelet",
        f"--kubeconfig={pki}/kubelet.kubeconfig",
        f"--config={node}/kubelet.yaml",
        f"--root-dir={folder}/kubelet",
        "--container-runtime=remote",
        "--container-runtime-endpoint=unix:///run/containerd/containerd.sock",
        "--pod-infra-container-image=docker.io/local/pause:1",
        "--hostname-override=n1",
        f"--node-ip={ADDRESS}",
    )
    until(lambda: any(map(is_ready, made.get("nodes")["items"])), what=lambda: _said(node / "kubelet.out"))


def _kubelet(pki: Path, node: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(pki / "ca.crt")}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "clusterDNS": [ADDRESS],
        "clusterDomain": "cluster.local",
        "failSwapOn": False,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "resolvConf": str(node / "resolv.conf"),
        "tlsCertFile": str(pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet.key"),
    }


def is_ready(one: dict[str, Any]) -> bool:
    """A node or a pod."""
    return any(said["type"] == "Ready" and said["status"] == "True" for said in one["status"].get("conditions", []))


def _said(file: Path) -> str:
    return file.read_text(errors="replace")[-3000:]


def _groups() -> list[Path]:
    """What the kubelet's pods are in, in each hierarchy."""
    return [*Path("/sys/fs/cgroup").glob("kubepods"), *Path("/sys/fs/cgroup").glob("*/kubepods")]


def _remove_groups() -> None:
    for top in _groups():
        for folder in sorted(top.glob("**/"), reverse=True):
            until(lambda folder=folder: _is_removed(folder), 20)  # type: ignore[misc]


def _is_removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def chart(folder: Path) -> Path:
    """A copy of the chart that an API server of 1.20 takes: no admission policies, an older CronJob, no profile of AppArmor; and on a
    machine that itself lacks it, without the capability that only kernels before 5.11 need."""
    copy = folder / "node/chart"
    shutil.copytree(ROOT / "deploy/chart", copy, dirs_exist_ok=True)
    (copy / "templates/admission.yaml").unlink(missing_ok=True)
    effective = re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())
    lacks = effective is not None and not int(effective[1], 16) & SYS_RESOURCE
    changes = [(r"(?m)^kubeVersion:.*\n", ""), (r"(?m)^ +appArmorProfile:.*\n", "")]
    changes += [(r"(?m)^ +- SYS_RESOURCE.*\n", "")] if lacks else []
    changes += [
        (r"(?m)^apiVersion: batch/v1\nkind: \{\{ if eq", 'apiVersion: batch/v1{{ if ne $when "now" }}beta1{{ end }}\nkind: {{ if eq')
    ]
    for file in [copy / "Chart.yaml", *copy.glob("templates/*.yaml")]:
        text = file.read_text()
        for pattern, instead in changes:
            text = re.sub(pattern, instead.replace("\\", r"\\"), text)
        file.write_text(text)
    return copy
