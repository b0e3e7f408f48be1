"""State on its way out and back: pitfalls 1, 20, 33, 63, 64, 117-121, 128, 131, 134."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli import ids
from axonhub_cli.llm.content import CompactionPart, Part, ReasoningPart, TextPart, ToolCallPart
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.base import Loss
from axonhub_cli.protocols.opaque import PREFIX, Seal, seal_part, strip_sealed, unseal_request

SEAL = Seal(b"s" * 32)
ORIGIN = "openai_chat/ch_1"
STATE = {"openai_chat": {"signature": "abc"}}


def reopened(part: Part, *, origin: str = ORIGIN, seal: Seal = SEAL) -> tuple[tuple[Part, ...], tuple[Loss, ...]]:
    """The parts a channel gets for a history of this one part."""
    request = Request("m", (Message(Role.ASSISTANT, (part,)),))
    opened, losses = unseal_request(request, seal, origin, origin.partition("/")[0])
    return tuple(part for message in opened.messages for part in message.parts), losses


def replayed(part: Part) -> ReasoningPart:
    """What Codex sends back: no raw text, ids not to be relied on (pitfalls 1, 33)."""
    assert isinstance(part, ReasoningPart)
    return ReasoningPart(summary=part.summary, id="rs_minted", sealed=part.sealed)


@pytest.mark.parametrize(
    "part",
    [
        ReasoningPart("raw text"),
        ReasoningPart("raw text", ("own summary",), opaque=STATE),
        ReasoningPart("", (), "rs_1", STATE),
    ],
)
def test_state_comes_back_after_a_restart(part: ReasoningPart) -> None:  # pitfalls 63, 117, 119
    sealed = seal_part(part, Seal(b"s" * 32), ORIGIN)
    parts, losses = reopened(replayed(sealed), seal=Seal(b"s" * 32))
    (back,) = parts
    assert isinstance(back, ReasoningPart) and not losses
    assert (back.text, back.summary, back.opaque) == (part.text, part.summary, part.opaque)
    assert back.sealed is None and back.id == (part.id or "rs_minted")


def test_raw_text_shown_as_a_summary_is_not_doubled() -> None:
    shown = ReasoningPart(summary=("raw",), sealed=getattr(seal_part(ReasoningPart("raw"), SEAL, ORIGIN), "sealed"))  # noqa: B009
    assert reopened(shown) == ((ReasoningPart("raw"),), ())


def test_another_account_gets_text_but_no_state() -> None:  # pitfalls 64, 128
    sealed = seal_part(ReasoningPart("raw", opaque=STATE), SEAL, ORIGIN)
    parts, losses = reopened(replayed(sealed), origin="openai_chat/ch_2")
    assert parts == (ReasoningPart("raw", id="rs_minted"),)
    assert losses == (Loss("reasoning.encrypted_content", "native state of openai_chat/ch_1"),)


def test_another_protocol_gets_the_summary_only() -> None:  # pitfalls 64, 128
    sealed = seal_part(ReasoningPart("raw", ("shown",), opaque=STATE), SEAL, ORIGIN)
    parts, losses = reopened(replayed(sealed), origin="openai_responses/ch_3")
    assert parts == (ReasoningPart(summary=("shown",), id="rs_minted"),)
    assert len(losses) == 1 and "openai_chat/ch_1" in losses[0].reason
    assert reopened(ReasoningPart(sealed=replayed(sealed).sealed), origin="openai_responses/ch_3")[0] == ()


def test_another_installation_cannot_read_it() -> None:
    sealed = seal_part(ReasoningPart("raw"), SEAL, ORIGIN)
    parts, losses = reopened(replayed(sealed), seal=Seal(b"t" * 32))
    assert parts == () and len(losses) == 1


def test_native_state_of_another_protocol_is_dropped() -> None:  # pitfall 64
    part = ReasoningPart(summary=("s",), opaque={"openai_responses": {"encrypted_content": "gAAAA"}})
    assert reopened(part)[0] == (ReasoningPart(summary=("s",)),)
    assert reopened(part)[1] == (Loss("reasoning.openai_responses", "native state of another protocol"),)
    assert reopened(part, origin="openai_responses/ch_3") == ((part,), ())
    call = ToolCallPart("c", "f", opaque={"gemini": {"thought_signature": "x"}})
    assert reopened(call)[0] == (ToolCallPart("c", "f"),) and len(reopened(call)[1]) == 1


def test_equal_state_gives_equal_bytes() -> None:  # pitfall 20
    part = ReasoningPart("raw " * 100, opaque=STATE)
    assert seal_part(part, SEAL, ORIGIN) == seal_part(part, Seal(b"s" * 32), ORIGIN)


def test_an_envelope_is_small() -> None:  # pitfall 134
    text = "The user wants the tests to pass. Let me look at the failing test first. " * 50
    sealed = seal_part(ReasoningPart(text), SEAL, ORIGIN)
    assert isinstance(sealed, ReasoningPart) and len(sealed.sealed or "") < 300
    short = seal_part(ReasoningPart("ok"), SEAL, ORIGIN)
    assert isinstance(short, ReasoningPart) and len(short.sealed or "") < 120


def test_nothing_to_keep_is_not_sealed() -> None:
    for part in (TextPart("a"), ReasoningPart(summary=("a",)), ToolCallPart("c", "f"), CompactionPart()):
        assert seal_part(part, SEAL, ORIGIN) is part


def test_a_request_without_state_is_the_same_object() -> None:
    request = Request("m", (Message(Role.USER, (TextPart("a"),)), Message(Role.ASSISTANT, (ReasoningPart("t"),))))
    assert unseal_request(request, SEAL, ORIGIN, "openai_chat") == (request, ())
    assert unseal_request(request, SEAL, ORIGIN, "openai_chat")[0] is request


def test_many_losses_of_one_kind_are_told_once() -> None:
    part = ReasoningPart("raw", sealed=PREFIX + "AAAA")
    request = Request("m", (Message(Role.ASSISTANT, (part,)),) * 3)
    _, losses = unseal_request(request, SEAL, ORIGIN, "openai_chat")
    assert len(losses) == 1 and losses[0].reason.endswith("(3 times)")


@pytest.mark.parametrize("origin", [ORIGIN, "openai_chat/ch_2", "openai_responses/ch_3"])
def test_a_summary_is_readable_everywhere(origin: str) -> None:  # pitfall 131
    sealed = seal_part(CompactionPart("what happened"), SEAL, ORIGIN)
    assert isinstance(sealed, CompactionPart) and sealed.sealed
    assert reopened(CompactionPart(id="c", sealed=sealed.sealed), origin=origin) == (
        (CompactionPart("what happened", "c"),),
        (),
    )


def test_an_unreadable_compaction_is_a_loss() -> None:
    parts, losses = reopened(CompactionPart(sealed=PREFIX + "x"))
    assert parts == () and len(losses) == 1
    reasoning = seal_part(ReasoningPart("raw"), SEAL, ORIGIN)
    assert isinstance(reasoning, ReasoningPart)
    assert reopened(CompactionPart(sealed=reasoning.sealed))[0] == ()
    foreign = CompactionPart(opaque={"openai_responses": {"encrypted_content": "gAAAA"}})
    assert reopened(foreign)[0] == () and reopened(foreign, origin="openai_responses/ch_3") == ((foreign,), ())


@given(st.one_of(st.text(), st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_forged_tokens_never_raise(garbage: str) -> None:
    assert SEAL.unseal(PREFIX + garbage) is None
    assert SEAL.unseal(garbage) is None


def test_every_changed_character_is_noticed() -> None:
    token = SEAL.seal(ORIGIN, {"text": "raw"})
    for place in range(len(PREFIX), len(token) - 1):
        assert SEAL.unseal(token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]) is None
    for size in range(len(PREFIX), len(token)):
        assert SEAL.unseal(token[:size]) is None


def test_our_envelopes_never_reach_a_real_upstream() -> None:  # pitfall 67
    reasoning = SEAL.seal(ORIGIN, {"text": "raw"})
    compaction = SEAL.seal(ORIGIN, {"compaction": "what happened"})
    real = {"type": "reasoning", "encrypted_content": "gAAAA", "summary": [], "unknown": 1}
    payload = {
        "model": "m",
        "input": [
            {"type": "compaction", "encrypted_content": compaction},
            {"type": "reasoning", "encrypted_content": reasoning, "summary": []},
            {"type": "compaction", "encrypted_content": PREFIX + "broken"},
            real,
            "odd",
        ],
    }
    stripped, losses = strip_sealed(payload, SEAL)
    text = [{"type": "input_text", "text": "what happened"}]
    assert stripped == {"model": "m", "input": [{"type": "message", "role": "user", "content": text}, real, "odd"]}
    assert {loss.field for loss in losses} == {
        "input.reasoning.encrypted_content",
        "input.compaction.encrypted_content",
    }
    assert len(payload["input"]) == 5
    for same in ({"input": [real]}, {"input": "text"}, {}):
        assert strip_sealed(same, SEAL)[0] is same


def test_a_summary_of_an_answer_we_translated_does_not_either() -> None:  # Gemini's thoughts have no state of their own
    theirs = {"type": "reasoning", "id": f"rs_{'0a' * 24}", "summary": [], "encrypted_content": None}
    ours = {**theirs, "id": f"rs_{ids.new_id('req').removeprefix('req_')}_0"}
    stripped, losses = strip_sealed({"input": [theirs, ours, "odd"]}, SEAL)
    assert stripped == {"input": [theirs, "odd"]}
    assert [loss.field for loss in losses] == ["input.reasoning"]
