"""`chaperone run --policy` of clients with event loops of their own: Python's asyncio, three connections at once, and node."""

import sys
from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver
from support.governed_run import governed, storing
from support.kernel import skip_without_kernel

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
POD = "/api/v1/namespaces/default/pods/agent"
RULES = """
- name: no-delete
  when: call.verb == "delete"
  do: deny
  enforce: enforce
  message: "no deleting"
"""
ASYNCIO = f"""
import asyncio, os, ssl
async def ask(method):
    context = ssl.create_default_context(cafile=os.environ["CA"])
    reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ["PORT"]), ssl=context)
    head = f"{{method}} {POD} HTTP/1.1\\r\\nHost: k\\r\\nAuthorization: Bearer {{os.environ['TOKEN']}}\\r\\nConnection: close\\r\\n\\r\\n"
    writer.write(head.encode())
    answer = await reader.read()
    print("asyncio", method, answer.split()[1].decode(), b"no deleting" in answer)
async def main(): await asyncio.gather(*map(ask, ("DELETE", "GET", "DELETE")))
asyncio.run(main())
"""
NODE = f"""
const https = require('https'), fs = require('fs'), e = process.env
const agent = new https.Agent({{keepAlive: true, maxSockets: 1, ca: fs.readFileSync(e.CA)}})
function ask(method, next) {{
  const options = {{host: '127.0.0.1', port: +e.PORT, path: '{POD}', method, agent, headers: {{Authorization: 'Bearer ' + e.TOKEN}}}}
  const request = https.request(options, answer => {{
    let data = ''
    answer.on('data', piece => data += piece)
    answer.on('end', () => {{ console.log('node', method, answer.statusCode, data.includes('no deleting')); next() }})
  }})
  request.on('error', error => {{ console.log('node', method, error.message); next() }})
  request.end()
}}
ask('DELETE', () => ask('GET', () => ask('DELETE', () => process.exit(0))))
"""


def test_event_loops_read_their_refusals(tmp_path: Path, apiserver: ApiServer) -> None:
    skip_without_kernel()
    for name, text in (("client.py", ASYNCIO), ("client.js", NODE)):
        (tmp_path / name).write_text(text)
    with storing(tmp_path):
        done = governed(tmp_path, apiserver, RULES, "sh", "-c", f"{sys.executable} {tmp_path}/client.py; node {tmp_path}/client.js")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert sorted(lines[:3]) == ["asyncio DELETE 403 True", "asyncio DELETE 403 True", "asyncio GET 200 False"]
    assert lines[3:] == ["node DELETE 403 true", "node GET 200 false", "node DELETE 403 true"]
    assert all(asked["method"] == "GET" for asked in apiserver.requests())
    assert "4 deny" in done.stderr and "incomplete" not in done.stderr
