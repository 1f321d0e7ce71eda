from support import protobufs

from chaperone.collector.kube.body import read_body
from chaperone.collector.kube.call import Body, Form
from chaperone.collector.kube.status import Status, status_of


def body(form: Form, data: bytes) -> Body:
    return read_body(Body(form, "", len(data), len(data), True, data))


def test_a_status_is_read_in_json_and_protobuf() -> None:
    expected = Status("NotFound", "gone")
    assert status_of(body(Form.JSON, b'{"kind":"Status","reason":"NotFound","message":"gone"}')) == expected
    assert status_of(body(Form.PROTOBUF, protobufs.status(404, "NotFound", "gone"))) == expected


def test_anything_else_is_no_status() -> None:
    assert status_of(None) == Status()
    assert status_of(body(Form.JSON, b'{"kind":"Pod","reason":"NotFound"}')) == Status()
    assert status_of(body(Form.JSON, b'{"kind":"Status","reason":7}')) == Status()
