"""Options that were given, as what is run takes them."""

from __future__ import annotations

from zoom_engine.cli.options import read_model_options


def test_what_models_are_read_by_is_put_together_and_downloads_are_the_audits() -> None:
    given = {"images": 4, "codes": "c.npy", "kind": "logits", "download": True, "size": 64}
    assert read_model_options(given) == {
        "images": 4,
        "generator_options": {"codes": "c.npy"},
        "target_options": {"kind": "logits", "preprocessing": {"size": 64}},
        "download": True,
    }
    assert read_model_options({"seed": 1}) == {"seed": 1}
