import ast
from dataclasses import fields, replace
from pathlib import Path

from support.masking import make_body, make_call, make_piece

from chaperone.collector.kube.call import Body, Call, Form, NotKubernetes
from chaperone.collector.kube.forms.json_text import REPEATED_KEY
from chaperone.collector.kube.forms.many import many
from chaperone.collector.mask.masker import Masker
from chaperone.collector.mask.reveal import Revealer
from chaperone.collector.wire.exchange import Phase
from chaperone.proto.ids import ProcessId, SessionId
from chaperone.proto.records import ProcessSeen

ROOT = Path(__file__).parents[3]
MAY_REVEAL = {"collector/cli/decode.py", "collector/mask/reveal.py"}


def test_only_decode_may_name_the_revealer() -> None:
    naming = set()
    for path in (ROOT / "collector").rglob("*.py"):
        names = {name for node in ast.walk(ast.parse(path.read_text())) for name in (getattr(node, "id", ""), getattr(node, "attr", ""))}
        imported = {
            alias.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom) for alias in node.names
        }
        modules = {node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
        if "Revealer" in names | imported or any(module.endswith("mask.reveal") for module in modules):
            naming.add(str(path.relative_to(ROOT)))
    assert naming <= MAY_REVEAL


def test_a_revealed_call_is_the_call() -> None:
    call = make_call(
        request_headers=(("authorization", "Bearer abc"), (None, None)),
        response_body=make_body({"kind": "Secret", "stringData": {"a": "b"}}),
        pieces=(make_piece(b"password=x"),),
    )
    shown = Revealer().call(call)
    for each in fields(Call):
        if each.name not in ("request_body", "response_body", "pieces", "user"):
            assert getattr(shown, each.name) == getattr(call, each.name)
    assert shown.response_body is not None
    assert call.response_body is not None
    assert shown.response_body.data == call.response_body.data
    assert shown.pieces[0].body.data == b"password=x"
    assert shown.user.name == call.user.name


def test_a_large_list_is_revealed_too() -> None:
    found = many([b'{"kind":"PodList","items":[{"password":"Zq7xWv3pLm9k"},{"a":1,"a":2}]}'])
    assert found is not None
    body = Body(Form.JSON, "application/json", 70, 70, True, object=found, kind="PodList")
    revealed = Revealer().call(make_call(response_body=body))
    assert revealed.response_body is not None
    assert (revealed.response_body.data, revealed.ambiguous) == (found.joined(), (REPEATED_KEY,))


def test_revealed_and_masked_values_have_the_same_shape() -> None:
    call = make_call()
    shown, masked = Revealer().call(call), Masker(b"k").call(call)
    assert shown == replace(masked, binding="")


def test_processes_exchanges_and_texts_are_revealed() -> None:
    seen = ProcessSeen(ProcessId("p"), SessionId("s"), 1, 2, "/x", ("x", "--token=abc"), "/", 0)
    assert Revealer().process(seen).argv == ("x", "--token=abc")
    assert Revealer().process(replace(seen, argv_cut=True)).argv_cut
    exchange = NotKubernetes(0, Phase.END, 1, 1, 2, "h2", "GET", "h:443", "/token=abc", 200, 1, 1, True, "another program")
    assert Revealer().exchange(exchange).path == "/token=abc"
    assert Revealer().argv(("--token=abc",)) == ("--token=abc",)
    assert Revealer().text("token=abc") == "token=abc"
