#!/usr/bin/env bash
# Record kubectl, a Python client and curl against a local API server, and show the recording.
# Usage: deploy/demo.sh BIN_DIR [STORE]   (BIN_DIR: where chaperone, kubectl and python are, such as .venv/bin)
set -euo pipefail

bin=$(cd "${1:?usage: deploy/demo.sh BIN_DIR [STORE]}" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/chaperone-demo.XXXXXX")
store=${2:-$work/store}
server=

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo env KUBECONFIG="${KUBECONFIG:-}" PATH="$PATH" "$@"; fi
}

# The collector that `run` started keeps files in the store until it has been idle for three seconds.
clean_up() {
    status=$?
    trap - EXIT
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
    if [ -e "$store/lock" ] || as_root test -e "$store/lock"; then as_root flock --timeout 10 "$store/lock" true || true; fi
    as_root rm -rf "$work"
    exit "$status"
}
if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    echo "demo: loading eBPF programs needs root: run this as root, or install sudo" >&2
    exit 1
fi
trap clean_up EXIT
trap 'exit 130' INT TERM

title() { printf '\n\033[1m# %s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi; }
show() {
    printf '$'
    for word in "$@"; do
        case $word in *[!a-zA-Z0-9_./=:-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    printf '\n'
}
record() {
    show chaperone run -- "$@"
    as_root "$bin/chaperone" run --store "$store" -- "$@" || echo "(exit status $?)"
}
ask() {
    show chaperone "$@"
    as_root "$bin/chaperone" "$@" --store "$store"
}

title "A local TLS API server that answers as a kube-apiserver did in recordings"
"$bin/python" "$here/demo/apiserver.py" --dir "$work/api" >"$work/ready" &
server=$!
for _ in $(seq 100); do
    [ -s "$work/ready" ] && break
    kill -0 "$server" 2>/dev/null || { echo "demo: the API server did not start" >&2; exit 1; }
    sleep 0.1
done
cat "$work/ready"
export KUBECONFIG=$work/api/kubeconfig HOME=$work PATH=$bin:$PATH
url=$(sed -n 's/.*"server": "\([^"]*\)".*/\1/p' "$KUBECONFIG")

title "Record unmodified, stripped kubectl (Go) …"
record kubectl get pods
record kubectl get secret db-cred -o yaml

title "… a script that starts a Python client (OpenSSL), curl (OpenSSL or GnuTLS) and kubectl"
cat >"$work/agent.sh" <<EOF
#!/bin/sh
python $here/demo/client.py
curl -s --cacert $work/api/ca.crt -H "Authorization: Bearer \$(cat $work/api/token)" $url/api/v1/namespaces/default/secrets/db-cred -o $work/secret.json
kubectl create secret generic api-key --from-literal=key=s3cr3t-Pa55w0rd
kubectl exec agent -c main -- sh -c 'echo out; echo err >&2; exit 3'
kubectl delete secret api-key
EOF
chmod +x "$work/agent.sh"
record "$work/agent.sh"

title "What was recorded: one session for each run"
ask sessions list

title "Every call, with its process, verb, object, code and timing"
ask calls list

title "A Secret that was read: its values are masked, nothing else is"
secret=$(as_root "$bin/chaperone" calls list --store "$store" --verb get --resource secrets --name db-cred -o jsonl |
    sed -n '1s/.*"id": "\([0-9a-f]\{32\}\)", "session".*/\1/p')
ask calls show "${secret:0:12}"

title "A replay of the script's session, at twice the pace"
ask replay latest --speed 2x --body-lines 4

title "That was all. The planted password is nowhere in the store:"
if as_root grep -rqaE 's3cr3t-Pa55w0rd|czNjcjN0LVBhNTV3MHJk' "$store"; then
    echo "it was found"
    exit 1
fi
echo "not found"
