"""Nothing of a secret leaves an attempt: texts, values, streams in pieces of any size."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.worker.logs import AttemptLog, read_log
from orchestrator.worker.masking import MASK, MaskedStreams, Masks

SECRET = "s3cr3t/pass word"


def masks_of(*texts: str) -> Masks:
    """Return masks that hide these texts."""
    masks = Masks()
    for text in texts:
        masks.add(text)
    return masks


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"a {SECRET} b", f"a {MASK} b"),
        ({SECRET: [SECRET, 1, None, True]}, {MASK: [MASK, 1, None, True]}),
        ("s3cr3t%2Fpass%20word and s3cr3t%2Fpass+word", f"{MASK} and {MASK}"),
        ("czNjcjN0L3Bhc3Mgd29yZA==", MASK),
        ("s3cr3t/pass", "s3cr3t/pass"),
        (4711.5, 4711.5),
    ],
)
def test_values_are_masked_at_any_depth(value: Any, expected: Any) -> None:
    """As it is, percent-encoded and in base64; in keys too."""
    assert masks_of(SECRET).masked(value) == expected


def test_a_secret_number_is_masked_as_a_number() -> None:
    """A shell's output `4711` is a number; it must not slip through as one."""
    assert masks_of("4711").masked({"pin": 4711, "many": 47110}) == {"pin": MASK, "many": 47110}


def test_a_secret_is_masked_in_json_and_line_by_line() -> None:
    """A key file has lines; a value may need escapes in JSON."""
    masks = masks_of('first "line"\nsecond line\nx')

    assert masks.masked("second line") == MASK
    assert masks.masked(json.dumps({"k": 'first "line"\nsecond line\nx'})) == f'{{"k": "{MASK}"}}'
    assert masks.masked("x") == "x"


def test_nothing_hidden_changes_nothing() -> None:
    """Attempts without secrets pay nothing: the very same objects come back."""
    value = {"a": ["b"]}

    assert Masks().masked(value) is value
    assert MaskedStreams(Masks()).feed("stdout", b"data") == b"data"


@given(
    texts=st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=3),
    pieces=st.lists(st.text("abcd", max_size=8), max_size=8),
)
def test_pieces_are_masked_as_the_whole_is(texts: list[str], pieces: list[str]) -> None:
    """Wherever a stream is cut, what comes out is what the whole text would become."""
    masks = masks_of(*texts)
    streams = MaskedStreams(masks)

    out = b"".join(streams.feed("stdout", piece.encode()) for piece in pieces)
    out += b"".join(data for _, data in streams.end())

    assert out.decode() == masks.masked("".join(pieces))
    assert not any(text in out.decode().replace(MASK, "*") for text in texts)


def test_what_begins_no_secret_is_not_held_back() -> None:
    """A log can be followed: only the possible beginning of a secret waits."""
    streams = MaskedStreams(masks_of(SECRET))

    assert streams.feed("stdout", b"progress 10%\n") == b"progress 10%\n"
    assert streams.feed("stdout", b"it is s3cr") == b"it is "
    assert streams.feed("stderr", b"3t/pass word") == b"3t/pass word"
    assert streams.feed("stdout", b"3t/pass word!") == MASK.encode() + b"!"


def test_an_attempts_log_never_holds_a_secret(tmp_path: Path) -> None:
    """The file and its lines show the mask, also for a secret that comes in two pieces; the rest is kept."""
    log = AttemptLog(tmp_path / "log", masks=masks_of(SECRET))
    for piece in ("a s3cr3t", "/pass word b\nend s3cr"):
        log.append("stdout", piece.encode())
    log.close()

    assert log.path.read_text() == f"a {MASK} b\nend s3cr"
    assert [line.text for line in read_log(log.path)] == [f"a {MASK} b", "end s3cr"]
