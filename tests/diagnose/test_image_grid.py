"""The pictures of all trials: which are drawn, what they show, and what that costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from zoom_engine.audit.folder import AuditFolder
from zoom_engine.audit.gallery_file import PictureEntry
from zoom_engine.audit.manifest import Manifest
from zoom_engine.audit.records import NOT_EDITED, Record
from zoom_engine.common.files.png import Pixels, to_pixels
from zoom_engine.diagnose import image_grid
from zoom_engine.diagnose.image_grid import write_pictures
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import BinaryTask, Preprocessing, Target, TaskView

ATTRIBUTES = ("a smiling face", "a face with a beard")
DIRECTIONS = torch.tensor([[0.5, 0.0, 0.0], [0.0, -0.5, 0.0]])


def trial(image: int, column: int, change: float, *, flipped: bool = False, stop: str = "") -> Record:
    weights = [0.0, 0.0]
    weights[column] = 1.0 + image
    return Record.from_json(
        {
            "image": image,
            "seed": image,
            "attribute": ATTRIBUTES[column],
            "edit_weights": weights,
            "original_output": [0.45],
            "output": [0.45 + change],
            "change": change,
            "flipped": flipped,
            "label_kept": None,
            "ssim": None,
            "stop": stop,
        }
    )


class Painter:
    """Draws pictures of one colour, and counts them and the batches."""

    def __init__(self, size: int) -> None:
        self.size, self.batches = size, list[int]()

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        self.batches.append(len(codes))
        edited = codes if edit_weights is None or directions is None else codes + edit_weights @ directions
        return edited.tanh()[:, :, None, None].expand(-1, -1, self.size, 2 * self.size)


class Red(nn.Module):
    asked = 0

    def forward(self, x: Tensor) -> Tensor:
        self.asked += len(x)
        return x[:, :1].mean(dim=(2, 3))


class Framed(type(BinaryTask().view)):  # type: ignore[misc]
    """Draws the outputs now and before into the first two pixels."""

    def overlay(self, pixels: Pixels, outputs_row: Tensor, original_row: Tensor) -> Pixels:
        pixels = np.full_like(pixels, round(127 + 100 * float(outputs_row[0])))
        pixels[:, pixels.shape[1] // 2 :] = round(127 + 100 * float(original_row[0]))
        return pixels


class FramedTask(BinaryTask):
    @property
    def view(self) -> TaskView:
        return Framed(self)


STYLES = torch.tensor([[-0.2, 0.1, 0.0], [0.3, 0.0, 0.1], [0.0, 0.2, 0.4]])


def drawn(
    folder: Path, *records: Record, task: BinaryTask | None = None, size: int = 8, batch_size: int = 4
) -> tuple[tuple[PictureEntry, ...], Painter, Red]:
    manifest = Manifest.of({"mode": "single", "search": "scan", "attributes": list(ATTRIBUTES)})
    painter, network = Painter(size), Red()
    target = Target(network, name="red", task=task or BinaryTask(), preprocessing=Preprocessing())
    evaluator = Evaluator(painter, DIRECTIONS, target)
    with AuditFolder.create(folder, manifest) as audit:
        entries = write_pictures(audit, Diagnosis(manifest, records), evaluator, STYLES, batch_size=batch_size)
    return entries, painter, network


ALL = [trial(image, column, 0.01 * (1 + 2 * image + column)) for image in range(3) for column in range(2)]


def pixels(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_each_trial_and_each_image_is_drawn_once_in_full_batches_and_the_target_is_not_asked(tmp_path: Path) -> None:
    entries, painter, network = drawn(tmp_path / "audit", *ALL)
    assert painter.batches == [4, 4, 1]
    assert network.asked == 0
    assert len({entry.file for entry in entries}) == 6
    assert len({entry.original for entry in entries}) == 3


def test_a_picture_shows_its_image_at_the_edit_weights_of_its_record(tmp_path: Path) -> None:
    entries, _, _ = drawn(tmp_path / "audit", *ALL)
    by_trial = {(entry.image, entry.attribute.text): entry for entry in entries if entry.attribute is not None}
    for record in ALL:
        entry = by_trial[record.image, record.attribute]
        code = STYLES[record.image : record.image + 1]
        for file, styles in (
            (entry.original, code),
            (entry.file, code + torch.tensor([record.edit_weights]) @ DIRECTIONS),
        ):
            expected = to_pixels(styles.tanh()[:, :, None, None])[0, 0, 0]
            assert np.abs(pixels(tmp_path / "audit" / file).astype(int) - expected).max() <= 3, "WebP loses a little"


def test_decisive_flips_are_drawn_first_where_there_are_too_many_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_grid, "MOST_PICTURES", 2)
    still = [trial(image, 1, 0.09 + image / 1000) for image in range(3)]
    entries, painter, _ = drawn(
        tmp_path / "audit", *still, trial(0, 0, 0.2, flipped=True), trial(1, 0, 0.06, flipped=True)
    )
    assert [(entry.image, str(entry.attribute)) for entry in entries] == [(0, ATTRIBUTES[0]), (1, ATTRIBUTES[0])]
    assert sum(painter.batches) == 4


def test_what_was_not_edited_has_no_picture(tmp_path: Path) -> None:
    entries, painter, _ = drawn(tmp_path / "audit", trial(0, 0, 0.0, stop=NOT_EDITED))
    assert (entries, painter.batches) == ((), [])


def test_outputs_are_drawn_into_pictures_beside_those_of_their_own_unedited_image(tmp_path: Path) -> None:
    entries, painter, network = drawn(tmp_path / "audit", *ALL, task=FramedTask(), batch_size=2)
    assert network.asked == sum(painter.batches) == 9
    for entry in entries:
        before = round(127 + 50 * float(STYLES[entry.image, 0].tanh() + 1))
        shown = pixels(tmp_path / "audit" / entry.file)
        assert abs(int(shown[0, -1, 0]) - before) <= 4
        assert abs(int(pixels(tmp_path / "audit" / entry.original)[0, 0, 0]) - before) <= 4


def test_large_pictures_are_made_smaller_as_they_are_written(tmp_path: Path) -> None:
    (entry,), _, _ = drawn(tmp_path / "audit", ALL[0], size=600)
    assert pixels(tmp_path / "audit" / entry.file).shape[:2] == (256, 512)
