"""Policies with literal secrets are refused when they are loaded; what a rule looks for is not mistaken for one."""

import json

import pytest
from support.policies import HEAD

from chaperone.collector.ingest.policies import DEFAULT, files_of
from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.literals import CERTAIN, literal_in

SECRETS = {
    "aws-key": "AKIAQ3EGTNB7XW2KD5LM",
    "github": "ghp_9fKx2LmQ7vTz3RbYw8Hd5Nc1Jp6Sg4Aa0Ue",
    "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlc2lnbmF0dXJl",
    "private-key": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----",
    "slack": "xoxb-123456789012-abcdefABCDEF",
    "password-hash": "$6$rounds=5000$abcdefgh$ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123",
}
PLACES = {
    "when": "rules:\n- {{name: a, when: {0}, do: alert}}",
    "message": "rules:\n- {{name: a, when: 'true', do: alert, message: {0}}}",
    "list": "lists:\n- {{name: x, items: [a, {0}]}}\nrules: []",
    "an unknown key": "rules:\n- {{name: a, {0}: b}}",
    "a value that is no word": "rules:\n- {{name: a, when: 'true', do: {0}}}",
}
LOOKED_FOR = (
    'channel.text.contains("-----BEGIN RSA PRIVATE KEY-----") || channel.text.contains("AKIA") || channel.text.contains("eyJ")',
    'channel.text.matches("ghp_[A-Za-z0-9]{36}|AKIA[A-Z0-9]{16}|eyJ[A-Za-z0-9_-]+[.]eyJ")',
    'channel.text.matches("password=[^ ]+")',
    'call.dataKeys.exists(k, k.matches("(?i)passw|secret|token"))',
    "hooks.slack.com",
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", SECRETS)
def test_a_literal_secret_is_refused_and_not_repeated(kind: str, place: str) -> None:
    secret = SECRETS[kind]
    with pytest.raises(PolicyError, match=rf"policy\.yaml:\d+: .*expected no literal secret in a policy, .*\({kind}\)") as raised:
        policies(HEAD + PLACES[place].format(json.dumps(f"x {secret} y")), "policy.yaml")
    assert secret[:12] not in str(raised.value)


MISPLACED = (
    "do: 'password={0}'",
    "do: alert, 'password={0}': x",
    "do: alert, when: 'call.verb == password={0}'",
    "do: alert, message: '{{password={0}}}'",
)


@pytest.mark.parametrize("rule", MISPLACED)
def test_a_complaint_does_not_repeat_what_may_be_a_secret(rule: str) -> None:
    with pytest.raises(PolicyError) as raised:
        policies(f"{HEAD}rules:\n- {{name: a, when: 'true', {rule.format('hunter2xyz')}}}", "policy.yaml")
    assert "hunter2xyz" not in str(raised.value) and str(raised.value).startswith("policy.yaml:")


@pytest.mark.parametrize("text", LOOKED_FOR)
def test_what_a_rule_looks_for_is_no_literal_secret(text: str) -> None:
    assert literal_in(text) == ""


def test_the_pack_that_comes_with_chaperone_has_none_and_each_kind_is_a_pattern_of_masking() -> None:
    for file in files_of(DEFAULT):
        assert policies(file.read_text(), str(file))
    from chaperone.collector.mask.patterns import PATTERNS  # noqa: PLC0415 - only this test asks

    assert set(CERTAIN) <= {pattern.name for pattern in PATTERNS}
