"""The avatars' text encoder reads what people type, and says what it cannot read."""

from __future__ import annotations

import pytest

from zoom_engine.common.errors import TextEncoderError
from zoom_engine.domains.avatars.domain import DOMAIN


@pytest.mark.parametrize(
    "text",
    ["a face without a smile", "a laughing man", "a person with specs", "a woman wearing glasses", "a grey-haired man",
     "a face with no beard", "a mustached face", "someone with a grin", "people with curly hair"],
)  # fmt: skip
def test_what_people_type_is_understood(text: str) -> None:
    DOMAIN.text_encoder().check_words([text])


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
