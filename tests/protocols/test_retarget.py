"""Another model, and nothing else: pitfalls 13, 20, 65; reliability B5-B7."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.llm.errors import Failure
from axonhub_cli.protocols.retarget import retarget, retarget_raw, without_raw

NESTED = b'[1.50, {"model" : "inner", "big": 123456789012345678901234567890}, "\\u00e9/\\/"]'


def test_a_copy_with_another_model() -> None:
    payload = {"model": "a", "future": [1]}
    assert retarget(payload, "b", {"stream": True}) == {"model": "b", "future": [1], "stream": True}
    assert payload == {"model": "a", "future": [1]}


def test_other_fields_keep_every_byte() -> None:  # pitfall 65
    body = b'{"x": ' + NESTED + b', "model": "a", "y" :"\\ud83d\\ude00"}'
    assert retarget_raw(body, "b") == b'{"x":' + NESTED + b',"model":"b","y":"\\ud83d\\ude00"}'


def test_a_missing_model_is_added() -> None:  # pitfall 24
    assert retarget_raw(b'{"x":1}', "b", {"stream": False}) == b'{"x":1,"model":"b","stream":false}'
    assert retarget_raw(b"{}", "b") == b'{"model":"b"}'


@pytest.mark.parametrize("odd", [b'"\\ud800"', b'{"\\udfff": [{}, "]}"]}', b'"a\\\\"'])
def test_lone_surrogates_survive(odd: bytes) -> None:  # reliability B7
    body = b'{ "x" : ' + NESTED + b', "odd": ' + odd + b', "model" : {"model": ["\\ud800"]} , "y":"model"}'
    raw = retarget_raw(body, "b", {"stream": True})
    payload = json.loads(raw)
    assert payload == {**json.loads(body), "model": "b", "stream": True}
    assert NESTED in raw and odd in raw


def test_a_lone_surrogate_and_no_model() -> None:
    assert json.loads(retarget_raw(b'\xef\xbb\xbf {"odd":"\\ud800"}', "b")) == {"odd": "\ud800", "model": "b"}


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"1", b'"a"', b'{"model":', b'{"a":NaN}', b'{"a":-Infinity}', b"\xff", b'{"a":' + b"[" * 99_999],
)
def test_what_is_no_object_is_a_400(body: bytes) -> None:
    with pytest.raises(Failure) as caught:
        retarget_raw(body, "b")
    assert caught.value.error.status == 400


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(alphabet=st.characters(), max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(st.one_of(st.just("model"), st.text(max_size=3)), VALUES), st.booleans())
def test_any_object(payload: dict[str, object], surrogate: bool) -> None:
    if surrogate:
        payload = {**payload, "odd": "\ud800"}
    assert json.loads(retarget_raw(json.dumps(payload).encode(), "b")) == {**payload, "model": "b"}


def test_fields_taken_out_of_json_that_only_the_standard_library_reads():
    assert json.loads(without_raw(b'{"a":"\\ud800","b":1}', {"b"})) == {"a": "\ud800"}
    assert without_raw(b'{"a":1.0,"b":1}', {"b"}) == b'{"a":1.0}'
