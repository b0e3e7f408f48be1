"""Channels, profiles and keys: names, references, revision, snapshot."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from axonhub_cli.config import Config
from axonhub_cli.entities import ApiKey, Channel, Profile, Rule, Unmapped, UpstreamKey
from axonhub_cli.errors import AxonHubError, ConflictError, NotFoundError, StoreError
from axonhub_cli.paths import Home
from axonhub_cli.store.api_keys import digest_of, new_api_key
from axonhub_cli.store.database import Store, open_store
from tests.store.conftest import Clock


def channel(name: str = "deepseek") -> Channel:
    return Channel(
        id="",
        name=name,
        type="deepseek",
        base_url="https://api.deepseek.com",
        keys=(
            UpstreamKey("uk_1", "https://api.deepseek.com", env="DEEPSEEK_API_KEY"),
            UpstreamKey("uk_2", "x", encrypted="enc:v1:A"),
        ),
        models=("deepseek-chat", "ünïcode"),
        tags=("cheap",),
        options={"max_tokens_field": "max_tokens"},
        proxy="http://127.0.0.1:1",
        priority=-2,
        enabled=False,
    )


def key(name: str = "codex", profile: str | None = None) -> ApiKey:
    return ApiKey("", name, digest_of(name), "ah-12345", profile=profile, allowed_ips=("10.0.0.0/8",), expires_at=5)


PROFILE = Profile(
    id="",
    name="work",
    rules=(Rule("gpt-5", "deepseek/deepseek-chat"), Rule("o(.*)", r"x\1", regex=True, enabled=False)),
    tags=("a",),
    allowed_models=("gpt-5",),
    unmapped=Unmapped.DENY,
)


def test_what_is_added_comes_back_whole(store: Store, clock: Clock) -> None:
    added = (store.channels.add(channel()), store.profiles.add(PROFILE), store.keys.add(key(profile="work")))
    assert added == (store.channels.get("deepseek"), store.profiles.get("work"), store.keys.get("codex"))
    assert all(value.created_at == value.updated_at == clock.now for value in added)
    assert replace(added[0], id="", created_at=0, updated_at=0) == channel()
    assert replace(added[1], id="", created_at=0, updated_at=0) == PROFILE
    assert [value.id.partition("_")[0] for value in added] == ["ch", "pf", "key"]


def test_ids_and_times_that_are_given_are_kept(store: Store) -> None:
    given = replace(channel(), id="ch_mine", created_at=5, updated_at=6)
    assert store.channels.add(given) == store.channels.get("deepseek") == given


def test_lists_are_in_order_of_creation(store: Store, clock: Clock) -> None:
    for name in ("b", "c", "a"):
        clock.now += 1
        store.channels.add(channel(name))
    assert [item.name for item in store.channels.list()] == ["b", "c", "a"] == list(store.snapshot().channels)


CHANGES: list[Callable[[Store], object]] = [
    lambda store: store.channels.add(channel("other")),
    lambda store: store.channels.replace(replace(store.channels.get("spare"), weight=5)),
    lambda store: store.channels.remove("spare"),
    lambda store: store.profiles.add(replace(PROFILE, name="other")),
    lambda store: store.profiles.activate("work"),
    lambda store: store.profiles.activate("work", "codex"),
    lambda store: store.profiles.deactivate("codex"),
    lambda store: store.profiles.deactivate(),
    lambda store: store.profiles.remove("work"),
    lambda store: store.keys.add(key("other")),
    lambda store: store.keys.replace(replace(store.keys.get("codex"), enabled=False)),
    lambda store: store.keys.remove("codex"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_grows_the_revision_for_other_processes(
    store: Store, home: Home, change: Callable[[Store], object]
) -> None:
    store.channels.add(channel("spare"))
    store.profiles.add(PROFILE)
    store.keys.add(key())
    with open_store(home, Config(), writable=False) as server:
        before = server.snapshot()
        change(store)
        after = server.snapshot()
        assert after.revision == before.revision + 1 == server.revision()


def test_a_refused_change_changes_nothing(store: Store) -> None:
    store.channels.add(channel())
    before = store.snapshot()
    with pytest.raises(ConflictError, match="'deepseek' already"):
        store.channels.add(channel())
    with pytest.raises(NotFoundError):
        store.profiles.add(replace(PROFILE, channels=("deepsek",)))
    with pytest.raises(NotFoundError):
        store.profiles.activate("nothing")
    assert store.snapshot() == before


@pytest.mark.parametrize("name", ["", "a/b", "ü", "a b", "x" * 65, "x" * 9999, ".", "..", "-x", "a\n", "a\0", "'; --"])
def test_names_that_cannot_be(store: Store, name: str) -> None:
    with pytest.raises(AxonHubError, match=r"^.{0,90} cannot be the name of a channel"):
        store.channels.add(channel(name))


@pytest.mark.parametrize("name", ["a", "A-b_c.9", "x" * 64, "9", ".hidden"])
def test_names_that_can_be(store: Store, name: str) -> None:
    assert store.channels.add(channel(name)).name == name


def test_a_name_nothing_has_suggests_the_nearest_and_the_list(store: Store) -> None:
    store.channels.add(channel())
    with pytest.raises(NotFoundError, match="no channel is called 'Deepseak'") as caught:
        store.channels.get("Deepseak")
    assert caught.value.hint == "Did you mean deepseek? axonhub channel list shows them."
    with pytest.raises(NotFoundError) as caught:
        store.keys.get("codex")
    assert caught.value.hint == "There is no key yet. axonhub key list shows them."


def test_what_is_in_use_is_not_removed_or_renamed(store: Store) -> None:
    store.channels.add(channel())
    store.profiles.add(PROFILE)
    store.keys.add(key(profile="work"))
    for action in (
        lambda: store.channels.remove("deepseek"),
        lambda: store.channels.replace(replace(store.channels.get("deepseek"), name="new")),
    ):
        with pytest.raises(ConflictError, match="channel deepseek is used by profile work"):
            action()
    with pytest.raises(ConflictError, match="active profile of key codex") as caught:
        store.profiles.remove("work")
    assert caught.value.hint == "axonhub profile deactivate --key codex"
    store.profiles.deactivate("codex")
    store.profiles.activate("work")
    with pytest.raises(ConflictError, match="active for every key"):
        store.profiles.remove("work")
    assert store.profiles.deactivate() == "work"
    store.profiles.remove("work")
    assert store.channels.remove("deepseek").name == "deepseek"


def test_renaming_keeps_id_and_time_of_creation(store: Store, clock: Clock) -> None:
    old = store.channels.add(channel())
    clock.now += 1000
    new = store.channels.replace(replace(old, name="other"))
    assert (new.id, new.created_at, new.updated_at) == (old.id, old.created_at, clock.now)
    assert store.channels.names() == ("other",)


def test_an_edit_of_what_has_changed_since_is_refused(store: Store, clock: Clock) -> None:
    """Two commands at once: the later would undo the earlier, unseen."""
    read = store.channels.add(channel())
    clock.now += 1
    quick = store.channels.replace(replace(read, models=("a",)))
    with pytest.raises(ConflictError, match="channel deepseek was changed by another command"):
        store.channels.replace(replace(read, models=("b",)))
    assert store.channels.get("deepseek") == quick
    assert store.channels.replace(replace(quick, models=("a", "b"))).models == ("a", "b")
    owner = store.keys.add(key())
    store.profiles.add(PROFILE)
    clock.now += 1
    store.profiles.activate("work", "codex")
    with pytest.raises(ConflictError):
        store.keys.replace(replace(owner, enabled=False))


def test_active_profiles(store: Store) -> None:
    store.profiles.add(PROFILE)
    store.keys.add(key())
    assert store.profiles.active() is None
    store.profiles.activate("work")
    store.profiles.activate("work", "codex")
    assert (store.snapshot().active_profile, store.keys.get("codex").profile) == ("work", "work")
    with pytest.raises(NotFoundError, match="no key is called 'code'") as caught:
        store.profiles.deactivate("code")
    assert "Did you mean codex?" in caught.value.hint
    assert store.profiles.deactivate("codex") == "work"
    assert store.keys.get("codex").profile is None


def test_quotes_and_odd_text_survive(store: Store) -> None:
    """reliability B16: values go by parameter."""
    odd = "Robert'); DROP TABLE channels;-- \" \\ %_"
    assert (
        store.channels.add(replace(channel(), models=(odd,))).models == store.channels.get("deepseek").models == (odd,)
    )
    with pytest.raises(NotFoundError):
        store.channels.get(odd)


def test_a_row_somebody_else_broke_is_named(store: Store) -> None:
    store.channels.add(channel())
    store._connection.run("UPDATE channels SET keys = 'nonsense'")
    with pytest.raises(StoreError, match="row of Channel in the database is damaged"):
        store.snapshot()


def test_a_new_key_has_256_bits_and_only_its_digest_is_told() -> None:
    plain, digest, prefix = new_api_key()
    assert plain.startswith("ah-") and len(plain) == 46 and prefix == plain[:8]
    assert digest == digest_of(plain) and len(digest) == 64 and plain not in digest
    assert new_api_key()[0] != plain
