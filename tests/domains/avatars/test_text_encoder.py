"""The avatars' text encoder reads what people type, and says what it cannot read."""

from __future__ import annotations

import pytest

from zoom_engine.common.errors import TextEncoderError
from zoom_engine.directions.relevance import text_directions
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.text.templates import TEMPLATE_SETS


@pytest.mark.parametrize(
    "text",
    ["a face without a smile", "a laughing man", "a person with specs", "a woman wearing glasses", "a grey-haired man",
     "a face with no beard", "a mustached face", "someone with a grin", "people with curly hair"],
)  # fmt: skip
def test_what_people_type_is_understood(text: str) -> None:
    DOMAIN.text_encoder().check_words([text])


def test_a_template_of_ones_own_is_refused_for_an_unknown_word_as_a_prompt_is() -> None:
    encoder, beard = DOMAIN.text_encoder(), ["a face with a beard"]
    for templates in (TEMPLATE_SETS["imagenet"](), ("this is {}",)):
        text_directions(encoder, beard, neutral="a face", templates=templates)
    with pytest.raises(TextEncoderError, match=r"cannot read 'a zorblax of {}': it was never trained on 'zorblax'"):
        text_directions(encoder, beard, neutral="a face", templates=["a photo of {}", "a zorblax of {}"])


def test_a_refused_word_is_answered_with_the_nearest_known_ones_the_domain_and_the_command() -> None:
    with pytest.raises(TextEncoderError) as caught:
        DOMAIN.text_encoder().check_words(["a face with a beerd"])
    message = str(caught.value)
    assert message.startswith(
        "text encoder 'avatars' cannot read 'a face with a beerd': it was never trained on 'beerd'"
    )
    assert "'beerd' (did you mean 'beard'" in message
    assert message.endswith("?); use words that 'zoom-engine words avatars' lists")
    assert ") (" not in message
    assert "site-packages" not in message
    assert "/" not in message
