"""Audits in the metadata of a model card: what the hub reads, and all else of the card as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from simulated import simulated

from zoom_engine.audit.manifest import Manifest
from zoom_engine.cli import main
from zoom_engine.common.errors import AuditError
from zoom_engine.integrations.model_index import model_index, with_model_index
from zoom_engine.statistics.diagnosis import Diagnosis

CARD = """---
license: apache-2.0
model-index:
- name: mustaches
  results:
  - task:
      type: image-classification
    dataset:
      type: beans
      name: Beans
    metrics:
    - type: accuracy
      value: 0.9
---

# Mustaches

It sees --- mustaches.
"""


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Diagnosis:
    return simulated(images=20, baseline=0.01, path=tmp_path_factory.mktemp("audits") / "audit")


def test_each_attribute_is_a_metric_of_the_audit(audit: Diagnosis, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model-index", str(audit.path), "--name", "mustaches"]) == 0
    text = capsys.readouterr().out
    assert text == model_index([audit], "mustaches")
    actual = ModelCard(f"---\n{text}---\n").data
    assert actual.model_name == "mustaches"
    rows = audit.sensitivity
    assert [result.metric_value for result in actual.eval_results] == [round(row.value or 0.0, 4) for row in rows]
    first = actual.eval_results[0]
    assert (first.task_type, first.metric_type) == ("image-classification", "sensitivity")
    assert (first.dataset_name, first.metric_name) == ("20 generated images, seed 0", "Sensitivity to eyeglasses")
    assert first.metric_args["attribute"] == rows[0].attribute.text
    assert first.metric_args["ci95"] == [round(end, 4) for end in rows[0].interval or ()]
    assert first.metric_args["verdict"] == rows[0].verdict
    assert first.dataset_args == {"audit_id": audit.about.audit_id}, "and what nobody gave is not there"


def test_who_answers_for_which_version_is_told(audit: Diagnosis) -> None:
    manifest = Manifest.of(audit.config.content, owner="Mona", model_version="1.4", purpose="adverts")
    known = Diagnosis(manifest, (*audit.records, *audit.baseline))
    (first, *_) = ModelCard(f"---\n{model_index([known], 'm')}---\n").data.eval_results
    assert first.dataset_args == {"owner": "Mona", "model_version": "1.4", "purpose": "adverts"}


def test_a_card_keeps_all_else_and_has_an_audit_once(audit: Diagnosis, tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text(CARD)
    for _ in range(2):
        assert main(["model-index", str(audit.path), "--card", str(card)]) == 0
    actual = ModelCard(card.read_text())
    assert actual.data.license == "apache-2.0"
    assert actual.data.model_name == "mustaches"
    assert [result.dataset_type for result in actual.data.eval_results] == ["beans", *["zoom-engine"] * 4]
    assert card.read_text().endswith("\n# Mustaches\n\nIt sees --- mustaches.\n")
    other = simulated(images=20, seed=1)
    assert with_model_index(card, [other]).count("type: zoom-engine") == 2, "other images are another result"


def test_other_photographs_are_other_images(tmp_path: Path) -> None:
    """As many of them had one result with the first: a card lost it, and both at once were refused."""
    first, other = (
        Diagnosis(Manifest.of({**one.config.content, "seed": 0, "audited": list("abcd")}), one.records)
        for one in (simulated(images=4, seed=seed) for seed in (1, 2))
    )
    card = tmp_path / "README.md"
    card.write_text(CARD)
    for one in (first, other, first):
        card.write_text(with_model_index(card, [one]))
    assert card.read_text().count("name: 4 photographs, seed 0") == 2
    assert model_index([first, other], "mustaches").count("type: zoom-engine") == 2


def test_two_versions_are_not_told_as_one_result(audit: Diagnosis, tmp_path: Path) -> None:
    """The hub tells results apart by target and images alone: another version replaces the one before."""
    old, new = (
        Diagnosis(Manifest.of(simulated(images=20, model=model).config.content, model_version=text), made.records)
        for model, text in ((0, "1.0"), (1, "2.0"))
        for made in [simulated(images=20, model=model)]
    )
    with pytest.raises(AuditError, match=r"two audits .*avatars:mustache.*20 images, seed 0.*give one of them"):
        model_index([old, new], "mustaches")
    card = tmp_path / "README.md"
    card.write_text(CARD)
    for one in (old, new):
        card.write_text(with_model_index(card, [one]))
    results = [result for result in ModelCard(card.read_text()).data.eval_results if result.dataset_type != "beans"]
    assert {result.dataset_args["model_version"] for result in results} == {"2.0"}
    with pytest.raises(AuditError, match="two audits"):
        with_model_index(card, [audit, audit])


def test_what_cannot_be_is_one_line(audit: Diagnosis, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AuditError, match="is not finished"):
        model_index([simulated(images=5, done=3)], "mustaches")
    with pytest.raises(AuditError, match="cannot read the model card"):
        with_model_index(tmp_path / "none.md", [audit])
    card = tmp_path / "README.md"
    unread = ("---\nmodel-index: 3\n---\n", "---\nlicense: [mit\n---\n", "---\n{a: !!python/object:x y}\n---\n")
    for text, says in (("# A model\n", "names no model"), *((one, "cannot read the model card") for one in unread)):
        card.write_text(text)
        with pytest.raises(AuditError, match=says):
            with_model_index(card, [audit])
        assert card.read_text() == text
    script = tmp_path / "train.py"
    script.write_text("import torch\n")
    assert main(["model-index", str(audit.path), "--card", str(script), "--name", "mustaches"]) == 1
    assert "train.py is no model card" in capsys.readouterr().err
    assert script.read_text() == "import torch\n"
    assert main(["model-index", str(audit.path)]) == 1
    assert "--name is missing" in capsys.readouterr().err
