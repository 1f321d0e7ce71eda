import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaperone.collector.store.engine import Engine, StoreError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50) | st.sampled_from(
    ["'; DROP TABLE records; --", "\\N", "\\'", "{x:String}"]
)
SHARED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SHARED
@given(TEXT)
def test_a_text_parameter_arrives_as_it_was(engine: Engine, text: str) -> None:
    assert engine.rows("SELECT {text:String} AS text", {"text": text}) == [{"text": text}]


@SHARED
@given(st.lists(TEXT, max_size=5))
def test_a_list_parameter_arrives_as_it_was(engine: Engine, texts: list[str]) -> None:
    assert engine.rows("SELECT {texts:Array(String)} AS texts", {"texts": texts}) == [{"texts": texts}]


@SHARED
@given(TEXT)
def test_an_inserted_text_is_read_back_as_it_was(engine: Engine, text: str) -> None:
    engine.run("TRUNCATE TABLE bodies")
    engine.insert("bodies", [{"digest": "d", "encoding": "utf-8", "data": text}])
    assert engine.rows("SELECT data FROM bodies") == [{"data": text}]


def test_a_lone_surrogate_does_not_stop_an_insert(engine: Engine) -> None:
    engine.insert("bodies", [{"digest": "d", "encoding": "utf-8", "data": "a\udc80b"}])
    assert engine.rows("SELECT data FROM bodies") == [{"data": "a?b"}]


def test_numbers_of_64_bits_are_numbers(engine: Engine) -> None:
    assert engine.rows("SELECT {n:UInt64} AS n", {"n": 2**64 - 1}) == [{"n": 2**64 - 1}]


def test_an_error_quotes_no_data(engine: Engine) -> None:
    with pytest.raises(StoreError) as caught:
        engine.insert("records", [{"kind": "call", "position": "canary-in-a-number"}])
    assert "canary" not in str(caught.value) and "ClickHouse error" in str(caught.value)
    assert caught.value.__suppress_context__
