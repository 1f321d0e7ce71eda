"""Each word is documented, has an empty value of its type, and reads what the documents say."""

from dataclasses import replace

import pytest
from support.judged_events import body, call, egress, piece, unread

from chaperone.collector.rules.verdict import Moment
from chaperone.collector.rules.words import EMPTY, WORDS, UnknownError, first_moment, read

TYPES = {"string": str, "int": int, "bool": bool, "list(string)": list, "dyn": (dict, list)}


@pytest.mark.parametrize("name", WORDS)
def test_a_word_is_documented_and_gives_its_type_or_nothing_at_all(name: str) -> None:
    assert WORDS[name].doc.endswith((".", "?"))
    for event in (call(), piece("stdin", "x"), egress("h:1"), unread()):
        try:
            value = read(name, event)
        except UnknownError:
            continue
        assert isinstance(value, TYPES[WORDS[name].type])


def test_the_ten_subjects_have_words() -> None:
    subjects = {name.partition(".")[0] for name in WORDS}
    assert subjects == {"call", "chaperone", "session", "process", "workload", "target", "channel", "egress", "secret", "tls"}


def test_what_nobody_reads_is_told_with_its_stack_and_destination() -> None:
    event = unread(remote="[2001:db8::1]:6443", unread="NSS", authority="api.test:6443")
    told = [read(f"tls.{word}", event) for word in ("unread", "stack", "host", "address", "port")]
    assert told == [True, "NSS", "api.test", "2001:db8::1", 6443]
    assert [read("tls.apiserver", unread(apiserver=known)) for known in (True, False)] == [True, False]
    with pytest.raises(UnknownError):
        read("tls.apiserver", unread(apiserver=None))
    assert read("tls.unread", egress("x:1")) is False


def test_a_word_about_something_else_is_empty() -> None:
    assert read("call.verb", egress("x")) == EMPTY["string"]
    assert read("egress.external", call()) is False


def test_host_paths_and_capabilities_are_found_in_any_pod_template() -> None:
    spec = {"containers": [{"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}], "volumes": [{"hostPath": {"path": "/etc"}}]}
    event = call(resource="deployments", verb="create", requestBody=body({"spec": {"template": {"spec": spec}}}))
    assert (read("target.hostPaths", event), read("target.capabilities", event)) == (["/etc"], ["SYS_ADMIN"])


def test_an_existing_pod_is_unknown_until_it_is_looked_up() -> None:
    with pytest.raises(UnknownError):
        read("target.privileged", call(resource="pods", subresource="exec"))


def test_anonymous_means_no_credential() -> None:
    assert read("call.anonymous", call(requestHeaders=[], user="system:anonymous"))
    assert not read("call.anonymous", call())


def test_the_command_of_an_exec_comes_from_the_url() -> None:
    event = call(requestURI="/api/v1/namespaces/d/pods/p/exec?command=tar&command=cf&command=-&container=c")
    assert read("call.command", event) == "tar cf -"


def test_the_host_is_without_port_and_brackets() -> None:
    assert [read("egress.host", egress(host)) for host in ("a.b:443", "[::1]:443", "a.b")] == ["a.b", "::1", "a.b"]


def test_an_address_is_told_whatever_its_name() -> None:
    event = egress("evil.test:443")
    event = replace(event, document={**event.document, "remote": "[2001:db8::1]:443", "names": ["evil.test", "old.test"]})
    told = [read(f"egress.{word}", event) for word in ("host", "address", "names")]
    assert told == ["evil.test", "2001:db8::1", ["evil.test", "old.test"]]
    assert [read(f"egress.{word}", egress("evil.test:443")) for word in ("address", "names")] == ["", []]


def test_the_first_moment_is_the_latest_of_the_words() -> None:
    assert first_moment(["call.verb", "call.code"]) is Moment.RESPONSE
    assert first_moment([]) is Moment.REQUEST


def test_a_query_of_too_many_pairs_is_unknown() -> None:
    """Whoever asks for it must not be blinded by it: the rule that reads it would have failed, and with it every other."""
    event = call(requestURI="/api/v1/namespaces/a/pods/b/exec?" + "command=x&" * 10_000)
    for word in ("call.command", "call.query"):
        with pytest.raises(UnknownError):
            read(word, event)
    assert read("call.command", call(requestURI="/x?command=a&command=b")) == "a b"


def test_chaperones_namespace_is_the_sessions() -> None:
    event = call()
    assert read("chaperone.namespace", event) == ""
    assert read("chaperone.namespace", replace(event, session={**event.session, "chaperone": "security"})) == "security"
