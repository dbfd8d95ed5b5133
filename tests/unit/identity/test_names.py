from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.errors import Malformed
from dataspace.identity.names import REGIONS, ROLES, ActorUri

PARTS = st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True)


@given(st.builds(ActorUri, st.sampled_from(REGIONS), PARTS, st.sampled_from(ROLES), PARTS))
def test_every_actor_reads_back_from_its_own_text(uri: ActorUri) -> None:
    assert ActorUri.parse(str(uri)) == uri


@given(st.text(max_size=80))
def test_what_parses_is_written_in_its_one_form(text: str) -> None:
    try:
        uri = ActorUri.parse(text)
    except Malformed:
        return
    assert str(uri) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gba://",
        "hongkong/h1/researcher/ana",
        "GBA://hongkong/h1/researcher/ana",
        "https://hongkong/h1/researcher/ana",
        "gba://hongkong/h1/researcher",
        "gba://hongkong/h1/researcher/ana/",
        "gba://hongkong/h1/researcher/ana/more",
        "gba://hongkong/h1/researcher/",
        "gba://hongkong//researcher/ana",
        "gba://shenzhen/h1/researcher/ana",
        "gba://hongkong/h1/root/ana",
        "gba://hongkong/h1/researcher/Ana",
        "gba://hongkong/h1/researcher/ana\n",
        "gba://hongkong/h1/researcher/an a",
        "gba://hongkong/h1/researcher/an%61",
        "gba://hongkong/h1/researcher/ана",
        "gba://hongkong/h1/researcher/ana?x",
        "gba://user@hongkong/h1/researcher/ana",
        " gba://hongkong/h1/researcher/ana",
        "gba://hongkong/h1/researcher/" + "a" * 65,
    ],
)
def test_a_name_outside_the_grammar_is_malformed(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        ActorUri.parse(text)
    assert caught.value.code == "bad-actor-uri"


def test_the_message_about_a_bad_name_does_not_repeat_it() -> None:
    with pytest.raises(Malformed) as caught:
        ActorUri.parse("gba://hongkong/h1/clinician/Chan Tai Man")
    assert "Chan" not in caught.value.message
