from pathlib import Path

import pytest

from chaperone.collector.enforce.alerting import Alerting, JsonLines, Limit, Route, Slack, Webhook, alerting, read_alerting
from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.verdict import Severity
from chaperone.collector.times import SECOND

HEAD = "apiVersion: chaperone.dev/v1\nkind: Alerting\n"
URL = "https://hooks.slack.com/services/T0/B0/s3cretURL"
KEY = "s3cretKEY-0123456789"
WHOLE = f"""{HEAD}metadata: {{name: all}}
receivers:
- name: oncall
  slack: {{urlFile: URLFILE}}
  limit: {{messages: 5, within: 30s}}
- name: siem
  webhook: {{url: "https://siem.test/in", keyEnv: SIEM_KEY, timeout: 3s}}
- name: file
  jsonl: {{file: /var/log/alerts.jsonl}}
routes:
- to: [oncall]
  severity: high
  policies: [agents]
  rules: ["secret-*"]
  labels: {{team: pay*}}
- to: [siem, file]
grouping: {{by: [rule, workload], again: 30s, quiet: 10m}}
outbox: {{keep: 500, waiting: 50}}
"""


def read(text: str) -> Alerting:
    return alerting(text, "alerts.yaml")


def test_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text(URL + "\n")
    monkeypatch.setenv("SIEM_KEY", KEY)
    (tmp_path / "alerts.yaml").write_text(WHOLE.replace("URLFILE", str(tmp_path / "url")))
    found = read_alerting(tmp_path / "alerts.yaml")
    oncall, siem, file = found.receivers
    assert isinstance(oncall.to, Slack) and oncall.to.endpoint.url.reveal() == URL and oncall.limit == Limit(5, 30 * SECOND)
    assert isinstance(siem.to, Webhook) and siem.to.key.reveal() == KEY and siem.to.endpoint.timeout_s == 3
    assert file.to == JsonLines("/var/log/alerts.jsonl") and file.limit is None
    assert found.routes == (Route(("oncall",), Severity.HIGH, ("agents",), ("secret-*",), {"team": "pay*"}), Route(("siem", "file")))
    assert (found.grouping.by, found.grouping.again_ns, found.keep, found.waiting) == (("rule", "workload"), 30 * SECOND, 500, 50)
    assert found.receiver("siem") == siem and found.receiver("none") is None
    assert "s3cret" not in repr(found)


def test_without_routes_everybody_gets_everything() -> None:
    found = read(HEAD + f"receivers: [{{name: a, slack: {{url: '{URL}'}}}}, {{name: b, jsonl: {{file: '-'}}}}]")
    assert found.routes == (Route(("a", "b")),)


A = "receivers:\n- name: a\n"
MISTAKES = [
    ("receivers: []\nroutes:\n- to: [a]", "alerts.yaml:5: routes[0].to[0]: expected the name of a receiver"),
    ("receivers:\n- name: a", "alerts.yaml:4: receivers[0]: expected one of slack, webhook, jsonl, found 0 of them"),
    (f"{A}  slack: {URL}", "alerts.yaml:5: receivers[0].slack: expected a mapping"),
    (f"{A}  slack: {{url: http://evil.test/{KEY}}}", "alerts.yaml:5: receivers[0].slack.url: expected an https:// URL"),
    (f"{A}  slack: {{url: 'https://u:{KEY}@evil.test/'}}", "slack.url: expected an https:// URL without user"),
    (f"{A}  slack: {{url: 'https://evil.test:{KEY}/'}}", "receivers[0].slack.url: expected a URL"),
    (f"{A}  slack: {{url: 'https://evil.test/ {KEY}'}}", "receivers[0].slack.url: expected a URL of ASCII characters"),
    (f"{A}  slack: {{url: '{URL}', urlEnv: X}}", "receivers[0].slack: expected one of url, urlFile, urlEnv, found 2"),
    (f"{A}  slack: {{'{URL}': 1}}", "alerts.yaml:5: receivers[0].slack.https…: unknown key"),
    (f"{A}  webhook: {{url: '{URL}', key: s3cret}}", "receivers[0].webhook.key: expected a key of at least 16 characters"),
    (f"{A}  webhook: {{url: '{URL}', keyEnv: CHAPERONE_NONE}}", "receivers[0].webhook.keyEnv: expected a variable"),
    (f"{A}  webhook: {{url: '{URL}', keyFile: /none}}", "keyFile: expected a file that can be read, found: No such file"),
    (f"{A}  slack: {{url: '{URL}', caFile: /none}}", "receivers[0].slack.caFile: expected a file of certificates"),
    (f"{A}  slack: {{url: '{URL}', timeout: {KEY}}}", "receivers[0].slack.timeout: expected a time up to"),
    (f"{A}  slack: {{url: '{URL}', timeout: 61s}}", "receivers[0].slack.timeout: expected a time up to 60s"),
    (f"receivers:\n- name: '{URL}'\n  jsonl: {{file: /x}}", "alerts.yaml:4: receivers[0].name: expected a name"),
    ("receivers:\n- name: a\n  jsonl: {file: x}", "receivers[0].jsonl.file: expected an absolute path"),
    (f"{A}  jsonl: {{file: /x}}\n- {{name: a, jsonl: {{file: /y}}}}", "receivers[1]: expected each receiver's name once"),
    ("receivers:\n- {name: a, jsonl: {file: /x}}\nroutes:\n- {to: [a], severity: hihg}", "routes[0].severity: expected one of info, low"),
    ("receivers: []\ngrouping: {by: [pod]}", "grouping.by[0]: expected one of policy, rule, account, session"),
    ("receivers: []\noutbox: {keep: 1}", "outbox.keep: expected a whole number from 10"),
    ("receivers: []\nreceiver: []", "receiver: unknown key"),
    ("", "alerts.yaml:1: expected the key receivers, which is missing"),
    ("receivers: [", "alerts.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_mistake_is_named_by_its_place_and_no_secret_is_quoted(text: str, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(HEAD + text)
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value) and "hooks.slack" not in str(caught.value)


def test_another_kind_of_file_and_none_at_all_are_refused(tmp_path: Path) -> None:
    for text in ("apiVersion: chaperone.dev/v1\nkind: Policy\nreceivers: []", "apiVersion: v2\nkind: Alerting\nreceivers: []", "---\n"):
        with pytest.raises(PolicyError):
            read(text)
    with pytest.raises(PolicyError, match="No such file"):
        read_alerting(tmp_path / "none")
    (tmp_path / "bad").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match="UTF-8"):
        read_alerting(tmp_path / "bad")


BOT = "apiVersion: chaperone.dev/v1\nkind: Alerting\nreceivers:\n- name: oncall\n  slack: {%s}\n"


def test_slack_with_a_token_has_its_own_address() -> None:
    [receiver] = alerting(BOT % "token: xoxb-1, channel: C0123456789", "f").receivers
    assert isinstance(receiver.to, Slack) and receiver.to.token and receiver.to.token.reveal() == "xoxb-1"
    assert (receiver.to.endpoint.url.reveal(), receiver.to.channel) == ("https://slack.com/api/", "C0123456789")


@pytest.mark.parametrize(
    "text",
    ["token: xoxb-s3cret", "token: xoxb-s3cret, channel: general", "channel: C0123456789", "token: 'xoxb s3cret', channel: C0123456789"],
)
def test_half_a_token_is_a_mistake_that_quotes_nothing(text: str) -> None:
    with pytest.raises(PolicyError) as raised:
        alerting(BOT % text, "f")
    assert "s3cret" not in str(raised.value)
