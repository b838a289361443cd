"""An audit as notebooks show it: tables that hold what the summary does, plots, HTML, and pictures as arrays."""

from __future__ import annotations

import base64
import io
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pytest
from audits import ATTRIBUTES, manifest, single
from PIL import Image
from simulated import simulated

from zoom_engine.audit.folder import AuditFolder
from zoom_engine.common.errors import AuditError, ConfigError
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.views import Counterfactual, attribute_frame, html_table


@pytest.fixture(scope="module")
def diagnosis() -> Diagnosis:
    return Diagnosis(manifest(neutral="a face"), tuple(single(i, c) for c in range(3) for i in range(12)))


def test_a_table_of_attributes_is_the_summary(diagnosis: Diagnosis) -> None:
    frame = diagnosis.to_pandas()
    assert list(frame.index) == [row.attribute.text for row in diagnosis.sensitivity]
    for row in diagnosis.sensitivity:
        result = frame.loc[row.attribute.text]
        assert row.ci95 is not None
        assert row.paper is not None
        assert (result.mean_change, result.ci95_low, result.ci95_high) == (row.mean_change, *row.ci95)
        assert result.paper_mean_change == row.paper.mean_change
    assert frame.loc[ATTRIBUTES[1], "name"] == "pale skin"
    row = replace(diagnosis.sensitivity[0], edit_score=0.3, edit_score_interval=(0.1, 0.5))
    (seen,) = attribute_frame(diagnosis.config, replace(diagnosis.summary(), sensitivity=(row,))).to_dict("records")
    assert (seen["edit_score_interval_low"], seen["edit_score_interval_high"]) == (0.1, 0.5)


def test_an_interval_is_two_columns_where_there_is_none() -> None:
    (row,) = Diagnosis(manifest(neutral="a face"), (single(0, 1),)).to_pandas().dropna(subset="mean_change").iloc
    assert (row.ci95_low, row.ci95_high) == (None, None)


def test_a_table_of_records_holds_every_one(diagnosis: Diagnosis) -> None:
    frame = diagnosis.to_pandas("records")
    assert len(frame) == 36
    means = frame.groupby("attribute").change.mean()
    assert {row.attribute.text: row.mean_change for row in diagnosis.sensitivity} == pytest.approx(means.to_dict())
    record = diagnosis.of(diagnosis.attributes[1])[3]
    (result,) = frame[(frame.attribute == ATTRIBUTES[1]) & (frame.image == 3)].to_dict("records")
    assert (result["edit_weight"], result["output"]) == (record.edit_weights[1], record.output[0])
    assert "trajectory" not in frame


def test_together_each_attribute_has_a_weight() -> None:
    records = tuple(replace(single(i, 1), attribute=None, edit_weights=(1.0, 2.0, -3.0), paper=None) for i in range(3))
    frame = Diagnosis(manifest("multi"), records).to_pandas("records")
    assert frame[f"edit_weight: {ATTRIBUTES[2]}"].tolist() == [-3.0] * 3


def test_html_escapes_what_users_wrote() -> None:
    audit = simulated(images=3, target="<b>x</b>", attributes=("a <i>hat</i>", "b"), means=(0.1, 0.2))
    shown = html_table(audit.config, audit.summary(), 0)
    assert "&lt;b&gt;x&lt;/b&gt;: 3 images, single mode<" in shown
    assert "a &lt;i&gt;hat&lt;/i&gt;" in shown
    assert "<i>" not in shown
    assert "not finished: 2 measurements are missing" in html_table(audit.config, audit.summary(), 2)


def test_a_plot_has_a_bar_for_each_attribute(diagnosis: Diagnosis, tmp_path: Path) -> None:
    matplotlib.use("agg")
    axes = diagnosis.plot()
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([row.value for row in diagnosis.sensitivity])
    assert axes.get_yticklabels()[0].get_text() == "pale skin"
    assert axes.get_title() == "avatars:mustache"
    beside = simulated(images=20, baseline=0.02).plot(matplotlib.figure.Figure().subplots())
    assert len(beside.patches) == 4 + 1, "random edits are a band"


def test_attributes_of_one_short_name_are_told_apart() -> None:
    names = ("a face with blond hair", "a blond hair face")
    audit = simulated(images=3, attributes=names, means=(0.2, 0.1), neutral="a face")
    axes = audit.plot(matplotlib.figure.Figure().subplots())
    assert len({label.get_text() for label in axes.get_yticklabels()}) == len(set(audit.to_pandas().name)) == 2


def test_a_plot_shows_what_users_wrote_and_reads_no_formula_in_it() -> None:
    names = ("a tag of $5 or $10", r"a $\hat$")
    audit = simulated(images=3, target=r"a $\model$", attributes=names, means=(0.1, 0.2))
    axes = audit.plot(matplotlib.figure.Figure().subplots())
    axes.figure.savefig(io.BytesIO())
    assert not any(text.get_parse_math() for text in (axes.title, *axes.get_yticklabels()))


def test_pictures_are_arrays_with_what_they_stand_for(diagnosis: Diagnosis, tmp_path: Path) -> None:
    path = diagnosis.save(tmp_path / "audit")
    frames: list[dict[str, Any]] = []
    with AuditFolder.resume(path, manifest(neutral="a face")) as folder:
        (path / "images").mkdir()
        for step in range(3):
            Image.new("RGB", (8, 6), (step, 0, 0)).save(path / "images" / f"{step}.png")
            frames.append(
                {"file": f"images/{step}.png", "weight": None if step == 0 else 2.0 * step, "caption": f"0.{step}"}
            )
        strip = {"kind": "typical", "attribute": ATTRIBUTES[0], "seed": 7, "flipped": True, "label_kept": None}
        captions = {"ssim": 0.9, "original_caption": "0.0", "caption": "0.2", "frames": frames}
        folder.write_json("gallery.json", {"strips": [{**strip, **captions}], "sheets": []})
    (result,) = Diagnosis.load(path).counterfactuals()
    assert result.frames.shape == (3, 6, 8, 3)
    assert result.frames.dtype == np.uint8
    assert (result.original[0, 0, 0], result.edited[0, 0, 0]) == (0, 2)
    assert (result.weights, result.outputs) == ((None, 2.0, 4.0), ("0.0", "0.1", "0.2"))
    assert (result.attribute, result.seed, result.kind) == (ATTRIBUTES[0], 7, "typical")
    assert "frames" not in repr(result)
    (path / "images" / "1.png").write_bytes(b"no picture")
    with pytest.raises(AuditError, match="cannot be read as a picture"):
        Diagnosis.load(path).counterfactuals()
    with pytest.raises(AuditError, match="in memory has no pictures"):
        diagnosis.counterfactuals()


@pytest.mark.parametrize(
    ("library", "extra", "call"), [("pandas", "tables", "to_pandas"), ("matplotlib.pyplot", "plots", "plot")]
)
def test_a_missing_library_says_what_to_install(
    library: str, extra: str, call: str, diagnosis: Diagnosis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=rf"pip install 'zoom-engine\[{extra}\]'"):
        getattr(diagnosis, call)()


def counterfactual(**more: Any) -> Counterfactual:
    values = {
        "attribute": "a <i>hat</i>",
        "seed": 7,
        "kind": "typical",
        "flipped": True,
        "decisive": True,
        "label_kept": False,
        "ssim": 0.934,
        "weights": (None, -4.12),
        "outputs": ("no <b>", 'yes "'),
        "frames": np.random.default_rng(0).integers(0, 255, (2, 700, 500, 3)).astype(np.uint8),
    }
    return Counterfactual(**{**values, **more})


def test_a_counterfactual_shows_its_pictures_before_and_after_with_the_record_s_line() -> None:
    shown = counterfactual()._repr_html_()
    assert "“a &lt;i&gt;hat&lt;/i&gt;”, seed 7, typical, decisive flip, label not kept, SSIM 0.93, weight −4.1" in shown
    assert "before: no &lt;b&gt;<" in shown
    assert 'alt="after: yes &quot;"' in shown
    assert "<i>" not in shown
    assert "<b>" not in shown
    urls = re.findall(r'src="data:image/webp;base64,([^"]+)"', shown)
    pictures = [Image.open(io.BytesIO(base64.b64decode(url))) for url in urls]
    assert [max(picture.size) for picture in pictures] == [320, 320]
    assert all(len(url) < 100_000 for url in urls), "even noise, which no picture is"
    small = counterfactual(frames=np.zeros((2, 8, 6, 3), np.uint8))._repr_html_()
    (url, _) = re.findall(r'src="data:image/webp;base64,([^"]+)"', small)
    assert Image.open(io.BytesIO(base64.b64decode(url))).size == (6, 8)


def test_of_a_counterfactual_what_was_not_measured_is_left_out() -> None:
    together = counterfactual(attribute=None, label_kept=None, ssim=None, weights=(None, None), flipped=False)
    assert together.line == "all attributes together, seed 7, typical, no flip"
    assert counterfactual(decisive=False).line.split(", ")[3] == "borderline flip"
    assert counterfactual(decisive=None).line.split(", ")[3] == "flip"
