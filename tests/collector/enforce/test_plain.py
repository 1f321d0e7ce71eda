from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.enforce.plain import code, escaped, fenced, plain


def test_what_cannot_be_seen_is_written_out() -> None:
    assert plain("a\x1b[31mb\u202ec\u200bd\ne") == "a\\u{1b}[31mb\\u{202e}c\\u{200b}d⏎e"


def test_markup_and_mentions_of_slack_are_escaped() -> None:
    assert escaped("<!channel> & <@U1>", 100) == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
    assert code("a`b*c*", 100) == "`a\u02cbb*c*`"
    assert code("  ", 100) == "-"
    assert fenced("```\n<x>", 100) == "```\n\u02cb\u02cb\u02cb\n&lt;x&gt;\n```"


@given(st.text(max_size=300), st.integers(20, 120))
def test_no_text_is_longer_than_its_limit_and_no_entity_is_cut(text: str, limit: int) -> None:
    for found in (escaped(text, limit), code(text, limit), fenced(text, limit)):
        assert len(found) <= limit
        assert "<" not in found and ">" not in found
        rest = found.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
        assert "&" not in rest
