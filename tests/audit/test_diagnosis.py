"""What the records add up to: every figure of the summary against a literal computation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoom_engine.audit.diagnosis import Diagnosis
from zoom_engine.audit.folder import AuditFolder
from zoom_engine.audit.records import Record, to_line
from zoom_engine.errors import AuditError

ATTRIBUTES = ["a smiling face", "a face with pale skin|a pale face", "a face with a beard"]
KEYS = {"attribute", "mean_change", "ci95", "share", "flip_rate", "decisive_flip_rate", "label_kept", "ssim"}


def manifest(mode: str = "single") -> dict[str, Any]:
    config = {"mode": mode, "search": "scan", "attributes": ATTRIBUTES, "target": "avatars:mustache"}
    return {"config": config}


def single(image: int, column: int, *, labels: bool = True) -> Record:
    random = np.random.default_rng([image, column])
    weights = [0.0] * len(ATTRIBUTES)
    weights[column] = float(random.uniform(-20, 20))
    change = float(random.beta(1 + 6 * (column == 1), 4))
    return Record.from_json(
        {
            "image": image,
            "seed": image,
            "attribute": ATTRIBUTES[column],
            "edit_weights": weights,
            "original_output": [0.2],
            "output": [0.2 + 0.8 * change],
            "change": change,
            "flipped": change > 0.3,
            "decisive": change > 0.5,
            "label_kept": bool(random.random() < 0.9) if labels else None,
            "ssim": float(random.uniform(0.5, 1)),
            "paper": {"change": min(1.0, change + 0.1), "flipped": change > 0.2, "decisive": change > 0.4},
        }
    )


@pytest.fixture
def diagnosis() -> Diagnosis:
    return Diagnosis(manifest(), tuple(single(i, c) for c in (2, 0, 1) for i in reversed(range(40))))


def by_attribute(diagnosis: Diagnosis) -> dict[str, list[Record]]:
    return {a: [r for r in diagnosis.records if r.attribute == a] for a in ATTRIBUTES}


def test_rows_are_means_over_images_sorted_by_mean_change(diagnosis: Diagnosis) -> None:
    rows = diagnosis.sensitivity
    assert [row["mean_change"] for row in rows] == sorted((row["mean_change"] for row in rows), reverse=True)
    assert rows[0]["attribute"] == ATTRIBUTES[1]
    total = sum(row["mean_change"] for row in rows)
    for row in rows:
        assert set(row) >= KEYS
        records = by_attribute(diagnosis)[row["attribute"]]
        column = ATTRIBUTES.index(row["attribute"])
        flips = [r for r in records if r.flipped]
        assert row["mean_change"] == pytest.approx(np.mean([r.change for r in records]))
        assert row["share"] == pytest.approx(row["mean_change"] / total)
        assert row["flip_rate"] == len(flips) / 40
        assert row["decisive_flip_rate"] == sum(r.decisive for r in records) / 40
        assert row["label_kept"] == pytest.approx(np.mean([r.label_kept for r in records]))
        assert row["ssim"] == pytest.approx(np.mean([r.ssim for r in flips]))
        assert row["mean_abs_weight"] == pytest.approx(np.mean([abs(r.edit_weights[column]) for r in records]))
        assert row["paper"]["mean_change"] == pytest.approx(np.mean([r.paper.change for r in records]))
        assert row["paper"]["flip_rate"] == np.mean([r.paper.flipped for r in records])
        assert row["paper"]["decisive_flip_rate"] == np.mean([r.paper.decisive for r in records])
        low, high = row["ci95"]
        standard_error = np.std([r.change for r in records]) / np.sqrt(40)
        assert low == pytest.approx(row["mean_change"] - 1.96 * standard_error, abs=0.4 * standard_error)
        assert high == pytest.approx(row["mean_change"] + 1.96 * standard_error, abs=0.4 * standard_error)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert sum(row["paper"]["share"] for row in rows) == pytest.approx(1)
    assert sum(row["first"] for row in rows) == pytest.approx(1)
    assert rows[0]["first"] > 0.99


def test_totals(diagnosis: Diagnosis) -> None:
    summary = diagnosis.summary()
    flips = [r for r in diagnosis.records if r.flipped]
    assert summary["mode"] == "single"
    assert summary["search"] == "scan"
    assert (summary["images"], summary["units"]) == (40, 120)
    assert summary["flip_rate"] == len({r.image for r in flips}) / 40
    assert summary["decisive_flip_rate"] == len({r.image for r in flips if r.decisive}) / 40
    assert summary["decisive_flip_rate"] < summary["flip_rate"]
    assert summary["natural"] is None
    assert summary["ssim"] == pytest.approx(np.mean([r.ssim for r in flips]))
    assert summary["label_kept"] == pytest.approx(np.mean([r.label_kept for r in diagnosis.records]))


def test_the_summary_depends_on_records_and_seed_alone(diagnosis: Diagnosis) -> None:
    shuffled = Diagnosis(manifest(), diagnosis.records[::-1])
    assert shuffled.records == diagnosis.records
    assert shuffled.summary() == diagnosis.summary()
    assert diagnosis.summary(seed=1) != diagnosis.summary()


def test_without_labels_and_without_flips_there_are_nulls_not_nan() -> None:
    records = [replace(single(i, c, labels=False), flipped=False, paper=None) for i in range(3) for c in range(3)]
    summary = Diagnosis(manifest(), tuple(records)).summary()
    assert summary["label_kept"] is None
    assert summary["ssim"] is None
    assert all(row["ssim"] is None and row["label_kept"] is None for row in summary["sensitivity"])
    assert all("paper" not in row for row in summary["sensitivity"])
    json.dumps(summary, allow_nan=False)


def test_few_images_and_missing_units_are_strict_json_too() -> None:
    for records in ((), (single(0, 0),), (single(0, 0), single(1, 0), single(1, 2))):
        summary = Diagnosis(manifest(), records).summary()
        json.dumps(summary, allow_nan=False)
        assert len(summary["sensitivity"]) == 3
        for row in summary["sensitivity"]:
            known = sum(record.attribute == row["attribute"] for record in records)
            assert (row["mean_change"] is None) == (known == 0)
            assert (row["ci95"] is None) == (known < 2)


def test_a_target_that_never_moves_has_shares_of_zero() -> None:
    records = tuple(replace(single(i, c), change=0.0, paper=None) for i in range(4) for c in range(3))
    rows = Diagnosis(manifest(), records).sensitivity
    assert [row["share"] for row in rows] == [0, 0, 0]
    assert [row["ci95"] for row in rows] == [[0, 0]] * 3


def test_multi_mode_compares_edit_weights_in_units_of_each_attributes_own_range() -> None:
    weights = np.random.default_rng(0).normal(size=(30, 3)).clip(-2, 2) * [1, 0.2, 5]
    weights[:10, 0] = 0.0
    records = tuple(
        replace(single(i, 0), attribute=None, edit_weights=tuple(weights[i].tolist()), paper=None, natural=i % 3 > 0)
        for i in range(30)
    )
    # Raw, the last attribute moves most, and the second least; of its own range the second moves most.
    own = {"edit_range": "calibrated", "calibrated_range": [[-4, 8], [-0.4, 0.5], [-30, 20]]}
    low, high = np.abs(own["calibrated_range"]).T
    shares = np.abs(weights) / np.where(weights < 0, low, high)
    audit = Diagnosis({"config": {**manifest("multi")["config"], **own}}, records)
    rows = audit.sensitivity
    assert [row["attribute"] for row in rows] == [ATTRIBUTES[1], ATTRIBUTES[2], ATTRIBUTES[0]]
    means = shares.mean(0)
    for row in rows:
        column = ATTRIBUTES.index(row["attribute"])
        assert set(row) >= KEYS
        assert row["mean_change"] is None
        assert row["ci95"] is None
        assert row["range_share"] == pytest.approx(means[column])
        assert row["share"] == pytest.approx(means[column] / means.sum())
        assert row["range_share_ci95"][0] < row["range_share"] < row["range_share_ci95"][1]
        assert row["mean_abs_weight"] == pytest.approx(np.abs(weights).mean(0)[column])
    used = [record.flipped for record in records[10:]]
    assert rows[2]["flip_rate"] == pytest.approx(np.mean(used))
    assert audit.summary()["natural"] == pytest.approx(2 / 3)
    assert "33 % of the edits leave what the generator draws" in audit.table()
    # Within the paper's range all attributes have the same one.
    assert [row["attribute"] for row in Diagnosis(manifest("multi"), records).sensitivity] == [
        ATTRIBUTES[2],
        ATTRIBUTES[0],
        ATTRIBUTES[1],
    ]
    assert Diagnosis(manifest("multi"), ()).summary()["sensitivity"][0]["share"] == 0


def test_a_flip_beyond_what_the_generator_draws_is_not_decisive() -> None:
    flip = replace(single(0, 0), attribute=None, paper=None, flipped=True, decisive=True)
    records = tuple(replace(flip, image=image, natural=natural) for image, natural in enumerate((True, False, None)))
    summary = Diagnosis(manifest("multi"), records).summary()
    assert summary["flip_rate"] == 1
    assert summary["decisive_flip_rate"] == pytest.approx(2 / 3)
    assert summary["sensitivity"][0]["decisive_flip_rate"] == pytest.approx(2 / 3)


def test_records_of_older_versions_are_told_decisive_by_what_their_counterfactual_moved() -> None:
    def old(output: list[float], original: list[float], *, flipped: bool = True) -> Record:
        line = json.loads(to_line(single(0, 0))) | {"output": output, "original_output": original, "flipped": flipped}
        del line["decisive"]
        return Record.from_json(line)

    audit = Diagnosis(manifest(), ())
    assert audit.is_decisive(old([0.61], [0.49]))
    assert not audit.is_decisive(old([0.51], [0.49]))
    assert not audit.is_decisive(old([0.4], [0.1], flipped=False))
    assert audit.is_decisive(old([0.35, 0.55, 0.1], [0.5, 0.4, 0.1]))
    assert not audit.is_decisive(old([0.44, 0.46, 0.1], [0.46, 0.44, 0.1]))
    stricter = Diagnosis({"config": {**manifest()["config"], "decisive_change": 0.2}}, ())
    assert not stricter.is_decisive(old([0.61], [0.49]))


def test_save_and_load(diagnosis: Diagnosis, tmp_path: Path) -> None:
    path = diagnosis.save(tmp_path / "audit")
    loaded = Diagnosis.load(path)
    assert loaded.records == diagnosis.records
    assert loaded.summary() == diagnosis.summary() == json.loads((path / "summary.json").read_text())
    assert loaded.path == path
    with pytest.raises(AuditError, match="already holds an audit"):
        diagnosis.save(path)


def test_saving_takes_the_pictures_along(diagnosis: Diagnosis, tmp_path: Path) -> None:
    path = diagnosis.save(tmp_path / "audit")
    with AuditFolder.resume(path, manifest()) as folder:
        folder.write("images/a.png", b"png")
        folder.write_json("gallery.json", {"strips": [], "sheets": []})
    copy = Diagnosis.load(path).save(tmp_path / "copy")
    assert (copy / "images" / "a.png").read_bytes() == b"png"
    assert json.loads((copy / "gallery.json").read_text()) == {"strips": [], "sheets": []}


def test_records_of_other_attributes_are_refused() -> None:
    with pytest.raises(AuditError, match="image 3, attribute 'a cat'"):
        Diagnosis(manifest(), (replace(single(3, 0), attribute="a cat"),))
    with pytest.raises(AuditError, match="image 3"):
        Diagnosis(manifest(), (replace(single(3, 0), edit_weights=(1.0,)),))
    with pytest.raises(AuditError, match="'mode'"):
        Diagnosis({"config": {"mode": "both", "attributes": ATTRIBUTES}}, ())


def test_loading_what_is_not_there(tmp_path: Path, diagnosis: Diagnosis) -> None:
    with pytest.raises(AuditError, match="does not exist"):
        Diagnosis.load(tmp_path / "nowhere")
    path = diagnosis.save(tmp_path / "audit")
    (path / "records.jsonl").unlink()
    with pytest.raises(AuditError, match=r"cannot read .*records\.jsonl: no such file"):
        Diagnosis.load(path)


def test_the_table_shows_first_wordings_intervals_and_totals(diagnosis: Diagnosis) -> None:
    lines = diagnosis.table().splitlines()
    row = diagnosis.sensitivity[0]
    assert lines[0] == "avatars:mustache: 40 images, search scan, single mode"
    assert lines[4].startswith("a face with pale skin  ")
    assert "a pale face" not in diagnosis.table()
    assert f"{row['mean_change']:.3f} [{row['ci95'][0]:.3f}, {row['ci95'][1]:.3f}]" in lines[4]
    assert f"{100 * row['flip_rate']:.0f} %" in lines[4]
    assert len({len(line) for line in lines[1:2] + lines[4:7]}) == 1
    assert max(map(len, lines)) <= 120


def test_the_table_cuts_long_and_aligns_wide_names() -> None:
    config = {**manifest()["config"], "attributes": ["日本語の笑顔" * 9, "x" * 90, "e\u0301"]}
    table = Diagnosis({"config": config}, ()).table()
    assert "…" in table
    assert "x" * 40 not in table
    assert " - " in table
