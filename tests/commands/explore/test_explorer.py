"""What the page is shown: that of the engine, for each task, generated images and photographs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from explored import ATTRIBUTES, LABELS, Painter, black_box, corners, light
from networks import Function
from PIL import Image

from zoom_engine.commands.explore.explorer import CACHED_IMAGES, Answer, Explorer, Header
from zoom_engine.commands.explore.messages import Picked
from zoom_engine.commands.explore.recipe import KEY
from zoom_engine.commands.explore.sources import Explored
from zoom_engine.common.files.png import to_pixels
from zoom_engine.targets import load_target

SEED = Picked(seed=2)
EDIT = (4.0, 0.0, -3.0)


def pixels(content: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def rendered(explorer: Explorer, seed: int, weights: tuple[float, ...]) -> torch.Tensor:
    models = explorer.models
    with torch.no_grad():
        return models.generator.render(models.styles([seed])[:1], torch.tensor([weights]), explorer.directions.matrix)


def followed(way: Generator[Answer, None, Header]) -> tuple[list[Answer], Header]:
    """The steps of a search, and its result."""
    steps = []
    while True:
        try:
            steps.append(next(way))
        except StopIteration as end:
            return steps, end.value


def test_the_picture_and_the_outputs_are_those_of_the_edit(explorer: Explorer) -> None:
    (header, pictures), edited = explorer.shown(SEED, EDIT, target=0, original=True)
    before, after = rendered(explorer, 2, (0.0,) * 3), rendered(explorer, 2, EDIT)
    assert len(pictures) == 2
    np.testing.assert_array_equal(pixels(pictures[0]), to_pixels(after)[0])
    np.testing.assert_array_equal(pixels(pictures[1]), to_pixels(before)[0])
    target = explorer.targets[0]
    probability = float(target(after).sigmoid())
    assert header["targets"][0]["caption"] == f"{probability:.2f}"
    assert header["targets"][0]["response"] == pytest.approx(probability, abs=1e-6)
    assert header["targets"][0]["change"] == pytest.approx(abs(probability - float(target(before).sigmoid())), abs=1e-6)
    assert header["original"][0]["change"] == 0
    torch.testing.assert_close(edited.picture, after, atol=1e-3, rtol=0)


def test_a_task_that_draws_has_pictures_with_its_output(explorer: Explorer) -> None:
    (header, pictures), _ = explorer.shown(SEED, EDIT, target=1, original=True)
    assert len(pictures) == 4, "edited and unedited, each plain and drawn into"
    for plain, over in (pictures[:2], pictures[2:]):
        assert not np.array_equal(pixels(plain), pixels(over))
    assert header["targets"][1]["caption"].startswith("moved ")


def test_what_lies_beyond_is_said(explorer: Explorer) -> None:
    (inside, _), _ = explorer.shown(SEED, (0.0,) * 3, target=0, original=False)
    assert (inside["natural"], inside["outside"]) == (True, [])
    (beyond, _), _ = explorer.shown(SEED, (30.0, 10.0, -30.0), target=0, original=False)
    assert beyond["outside"] == [0, 2]
    assert not beyond["natural"]


def test_text_scores_are_counted_from_those_that_lack_the_attribute_to_those_that_have_it(explorer: Explorer) -> None:
    _, edited = explorer.shown(SEED, EDIT, target=0, original=False)
    scores = explorer.scores(edited)
    encoder = explorer.models.text_encoder
    texts = encoder.embed_texts(["a smiling face", "a face"], templates=explorer.models.templates)
    along = (texts[0] - texts[1]) / (texts[0] - texts[1]).norm()
    raw = float(encoder.embed_images(edited.picture)[0] @ along)
    assert scores["now"][0] == pytest.approx((raw + 0.1) / 0.2, abs=1e-3)
    assert len(scores["before"]) == len(ATTRIBUTES)
    assert scores["labels"][0]["now"] in LABELS
    assert scores["labels"][1] is None, "the second target has none"


def test_a_curve_passes_through_the_picture(explorer: Explorer) -> None:
    *steps, curve = explorer.curve(SEED, EDIT, 0, -8.0, 10.0)
    assert not any(steps)
    (header, _), _ = explorer.shown(SEED, (10.0, *EDIT[1:]), target=0, original=False)
    assert (curve["along"][0], curve["along"][-1]) == (-8, 10)
    assert 0 in curve["along"]
    for number in range(2):
        responses = curve["targets"][number]["responses"]
        assert len(responses) == len(curve["along"])
        assert responses[-1] == pytest.approx(header["targets"][number]["response"], abs=1e-5)


def test_the_smallest_edit_flips_the_target_it_was_asked_of(explored_of: Callable[..., Explored]) -> None:
    explorer = Explorer(explored_of(corners(), light()))
    steps, result = followed(explorer.way(SEED, 1))
    assert [header["number"] for header, _ in steps] == list(range(1, len(steps) + 1))
    assert all(pixels(picture).shape == (32, 32, 3) for _, (picture,) in steps)
    assert result["flipped"]
    assert "tried" in result["text"]
    (header, _), _ = explorer.shown(SEED, result["weights"], target=1, original=False)
    assert header["targets"][1]["flipped"]


def test_where_nothing_flips_the_range_that_was_searched_is_named(explored_of: Callable[..., Explored]) -> None:
    """An audit in the paper's range was told of the calibrated one, which nobody measured."""
    never = load_target(Function(lambda colours: colours.mean(1, keepdim=True) + 9), name="never", task="binary")
    explored = explored_of(never)
    for calibrated, within in ((explored.calibrated, "in the calibrated range"), (None, "within ±30")):
        _, result = followed(Explorer(replace(explored, calibrated=calibrated)).way(SEED, 0))
        assert not result["flipped"]
        assert result["text"].startswith(f"No edit {within} flips it, as far as the search looked.")


def test_any_generator_and_a_target_without_gradients_are_explored(explored_of: Callable[..., Explored]) -> None:
    """A decoder draws, and what flips a function alone is searched by its answers."""
    explorer = Explorer(explored_of(black_box(), generator=Painter()))
    (header, (picture,)), edited = explorer.shown(SEED, EDIT, target=0, original=False)
    assert pixels(picture).shape == (32, 32, 3)
    assert explorer.scores(edited)["labels"] == [None]
    steps, result = followed(explorer.way(SEED, 0))
    assert len(steps) > 1
    (header, _), _ = explorer.shown(SEED, result["weights"], target=0, original=False)
    assert header["targets"][0]["flipped"] == result["flipped"]


def test_a_kept_picture_says_how_it_was_made(explorer: Explorer) -> None:
    name, content = explorer.file(SEED, EDIT)
    assert name == "seed-2-edited.png"
    picture = Image.open(io.BytesIO(content))
    recipe = json.loads(picture.text[KEY])
    np.testing.assert_array_equal(np.asarray(picture), to_pixels(rendered(explorer, 2, EDIT))[0])
    assert recipe["image"] == {"seed": 2}
    assert recipe["edit_weights"] == dict(zip(ATTRIBUTES, EDIT, strict=True))
    assert recipe["directions"]["content_hash"] == explorer.directions.content_hash
    assert recipe["generator"]["content_hash"] == explorer.models.generator.content_hash
    assert [target["name"] for target in recipe["targets"]] == ["light", "corners"]
    assert recipe["targets"][0]["content_hash"] == explorer.targets[0].content_hash
    assert recipe["version"]
    assert explorer.file(Picked(photograph=0), (0.0,) * 3)[0] == "photograph-0.png"


def test_a_photograph_is_an_image_as_any_other(explorer: Explorer) -> None:
    (header, (picture,)), _ = explorer.shown(Picked(photograph=0), EDIT, target=0, original=False)
    assert header["image"] == {"photograph": 0}
    np.testing.assert_array_equal(pixels(picture), to_pixels(rendered(explorer, 77, EDIT))[0])
    header, thumbnails = explorer.thumbnails([SEED, Picked(photograph=0)])
    assert header == {"images": [{"seed": 2}, {"photograph": 0}]}
    np.testing.assert_array_equal(pixels(thumbnails[1]), to_pixels(rendered(explorer, 77, (0.0,) * 3))[0])


def test_memory_does_not_grow_with_the_images_looked_at(explorer: Explorer) -> None:
    for seed in range(CACHED_IMAGES + 5):
        explorer.shown(Picked(seed=seed), EDIT, target=0, original=False)
    assert len(explorer._images) == CACHED_IMAGES


def test_about_is_all_that_a_page_needs(explorer: Explorer) -> None:
    about = json.loads(json.dumps(explorer.about(), allow_nan=False))
    assert [attribute["name"] for attribute in about["attributes"]] == ["smiling", "a beard", "old"]
    assert about["attributes"][0]["low"] == -8
    assert [target["overlay"] for target in about["targets"]] == [False, True]
    assert about["photographs"] == ["me.png"]
