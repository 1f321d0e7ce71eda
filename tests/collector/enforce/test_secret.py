import pickle
from pathlib import Path

import pytest

from chaperone.collector.enforce.secret import Secret, SecretError, from_environment, from_file


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("s3cret")
    assert secret.reveal() == "s3cret"
    assert "s3cret" not in f"{secret} {secret!r} {[secret]}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_file_has_it_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("  s3cret\n")
    assert from_file(str(tmp_path / "key")).reveal() == "s3cret"


@pytest.mark.parametrize("content", [b"", b"\n", b"s3cret\ns3cret", b"s3cret" * 9000, b"\xffs3cret"])
def test_what_is_no_line_is_refused_without_a_quote(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(SecretError) as caught:
        from_file(str(tmp_path / "key"))
    assert "s3cret" not in str(caught.value)


def test_a_missing_file_or_variable_is_named_by_what_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="No such file"):
        from_file(str(tmp_path / "none"))
    with pytest.raises(SecretError, match="that is set"):
        from_environment("CHAPERONE_TEST_NONE")
    monkeypatch.setenv("CHAPERONE_TEST_KEY", "s3cret")
    assert from_environment("CHAPERONE_TEST_KEY").reveal() == "s3cret"
