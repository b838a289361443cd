"""The pets' model card says what was measured, and what was not."""

from __future__ import annotations

from typing import Any

from lab.pets.model_card import model_card

MACHINE = {
    "packages": {"torch": "2"},
    "system": "Linux",
    "cores": 2,
    "cpu_features": ["avx2"],
    "python": "3",
    "zoom_engine": "0",
}


def test_the_card_holds_what_was_measured_and_names_the_rest() -> None:
    target: dict[str, Any] = {
        "planted": "collar",
        "attribute": "dog",
        "untied_accuracy": 0.99,
        "agreement": 0.976,
        "planted_effect": 0.45,
        "effects": {"dog": 0.5, "collar": 0.45, "whiskers": 0.01},
    }
    text = {
        "renders": 20,
        "seed": 1,
        "margin": 0.25,
        "attributes": {"collar": {"accuracy": 0.99, "worst_template": 0.96}},
    }
    card = model_card({"text": text, "targets": {"dog-biased-collar": target}, "environments": {"text": MACHINE}}, None)
    assert "1 of 1 attributes reach 95 %" in card
    assert "| pets:dog-biased-collar | collar | 99.0 | 97.6 | 0.45 | 0.01 |" in card
    assert "Trained on renders alone" in card
    assert "Not measured yet: generator." in card
    assert "Not measured yet: edits." in card
    assert "`python -m lab.pets.benchmark`) have not been run to their end yet" in card
    assert "\n- text: Linux, 2 cores" in card
