"""The evaluator's terms, rows and refusals."""

from __future__ import annotations

import pytest
import torch
from networks import Drawing
from search_toys import DIRECTIONS, LABELS, SCALE, ColourLabels, evaluator, linear, looked_at, synthesize, target
from torch import Tensor
from torch.nn import functional

from zoom_engine.common.errors import ConfigError, TargetError
from zoom_engine.evaluation.evaluator import Evaluator, Originals
from zoom_engine.evaluation.labels import ZeroShotLabels
from zoom_engine.evaluation.objectives import ssim, structure_loss
from zoom_engine.search import describe_search, find_search
from zoom_engine.search.evaluated import evaluated_points
from zoom_engine.settings.audit_settings import LossWeights

STYLES = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)) * 2
WEIGHTS = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)) * 3


def labelled(**options: object) -> Evaluator:
    return evaluator(linear, labels=ZeroShotLabels(ColourLabels(0.5), LABELS), **options)


def test_an_evaluation_is_of_the_picture_at_codes_plus_weights_times_directions() -> None:
    where = labelled()
    originals = where.originals(STYLES)
    value = looked_at(where, STYLES, WEIGHTS, originals)
    images = synthesize(STYLES + WEIGHTS @ DIRECTIONS).clamp(-1, 1)
    torch.testing.assert_close(where.render(STYLES, WEIGHTS), images)
    torch.testing.assert_close(value.ssim, ssim(images, synthesize(STYLES)))
    logits = linear(images.mean((2, 3)) / SCALE)
    torch.testing.assert_close(value.outputs[:, 0], logits)
    torch.testing.assert_close(
        value.change, (logits.double().sigmoid() - originals.outputs[:, 0].double().sigmoid()).abs()
    )
    green = images[:, 1].mean((1, 2)) / SCALE > 0.5
    assert torch.equal(value.label_kept, green == (STYLES[:, 1] > 0.5))


def test_rows_do_not_depend_on_their_neighbours() -> None:
    where = labelled()
    originals = where.originals(STYLES)
    whole, gradient = where.value_and_grad(STYLES, WEIGHTS, originals)
    for row in range(5):
        index = torch.tensor([row])
        alone, gradient_alone = where.value_and_grad(STYLES[index], WEIGHTS[index], originals.rows(index))
        torch.testing.assert_close(gradient_alone[0], gradient[row], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(alone.change[0], whole.change[row])
        assert alone.loss is not None
        assert whole.loss is not None
        torch.testing.assert_close(alone.loss[0], whole.loss[row])


def test_the_gradient_is_that_of_the_loss() -> None:
    where = labelled(loss_weights=LossWeights(target=2.0, structure=3.0, label=0.5))
    originals = where.originals(STYLES)
    _, gradient = where.value_and_grad(STYLES, WEIGHTS, originals)
    step = 1e-2
    for attribute in range(3):
        shift = torch.zeros(3)
        shift[attribute] = step
        up = looked_at(where, STYLES, WEIGHTS + shift, originals, loss=True).loss
        down = looked_at(where, STYLES, WEIGHTS - shift, originals, loss=True).loss
        assert up is not None
        assert down is not None
        torch.testing.assert_close((up - down) / (2 * step), gradient[:, attribute], rtol=0.02, atol=0.02)


def test_the_loss_is_the_weighted_sum_of_three_terms() -> None:
    parts = []
    for weights in (
        LossWeights(target=1, structure=0, label=0),
        LossWeights(target=0, structure=1, label=0),
        LossWeights(target=0, structure=0, label=1),
    ):
        where = labelled(loss_weights=weights)
        parts.append(looked_at(where, STYLES, WEIGHTS, where.originals(STYLES), loss=True).loss)
    where = labelled(loss_weights=LossWeights(target=2, structure=3, label=5))
    total = looked_at(where, STYLES, WEIGHTS, where.originals(STYLES), loss=True).loss
    assert total is not None
    assert all(part is not None for part in parts)
    torch.testing.assert_close(total, 2 * parts[0] + 3 * parts[1] + 5 * parts[2])  # type: ignore[operator]


def test_the_label_term_is_not_always_zero() -> None:
    """Fault 1 of the reference: all prompts in one string make a softmax of one class, whose loss is 0.
    Here that is an error."""
    where = labelled(loss_weights=LossWeights(target=0, structure=0, label=1))
    loss = looked_at(where, STYLES, WEIGHTS, where.originals(STYLES), loss=True).loss
    assert loss is not None
    assert (loss > 1e-3).any()
    for prompts in (["green not green"], "green not green"):
        with pytest.raises(ConfigError, match="at least two prompts"):
            ZeroShotLabels(ColourLabels(0.5), prompts)
    with pytest.raises(ConfigError, match="the same"):
        ZeroShotLabels(ColourLabels(0.5), ["green", "green"])
    with pytest.raises(ConfigError, match="at least two prompts"):
        ZeroShotLabels(ColourLabels(0.5), [])


def test_a_positive_weight_adds_the_direction() -> None:
    """Fault 3 of the reference, where the sign is reversed: here red grows with the weight of the
    direction that adds red."""
    where = evaluator()
    images = where.render(torch.zeros(2, 4), torch.tensor([[3.0, 0, 0], [-3.0, 0, 0]]))
    assert images[0, 0].mean() > 0 > images[1, 0].mean()


def test_without_labels_every_point_keeps_them() -> None:
    where = evaluator()
    value = looked_at(where, STYLES, WEIGHTS, where.originals(STYLES))
    assert value.label_kept.all()
    assert [it.label_kept for it in evaluated_points(value, WEIGHTS.double().numpy())] == [None] * 5


def test_ssim_is_computed_only_where_asked() -> None:
    where = evaluator()
    originals = where.originals(STYLES)
    some = looked_at(where, STYLES, WEIGHTS, originals, ssim="flipped")
    whole = looked_at(where, STYLES, WEIGHTS, originals)
    assert torch.equal(some.ssim.isnan(), ~some.flipped)
    assert 0 < some.flipped.sum() < 5
    torch.testing.assert_close(some.ssim[some.flipped], whole.ssim[some.flipped])
    assert looked_at(where, STYLES, WEIGHTS, originals, ssim="none").ssim.isnan().all()


@pytest.mark.parametrize("follow", ["value_and_grad", "value_and_slopes"])
def test_ssim_of_a_flip_is_of_every_pixel_whoever_follows_gradients(
    follow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The structure loss looks at large pictures averaged over squares, which are more alike, or less."""
    grain = 0.5 * torch.randn(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))

    def drawing(styles: Tensor) -> Tensor:
        return functional.interpolate(synthesize(styles), (24, 24)) + grain * styles[:, :1, None, None] * SCALE

    monkeypatch.setattr("zoom_engine.evaluation.objectives.VIEWED", 12)
    where = Evaluator(Drawing(drawing), DIRECTIONS, target(linear))
    originals = where.originals(STYLES)
    seen = looked_at(where, STYLES, WEIGHTS, originals, ssim="flipped")
    followed, _ = getattr(where, follow)(STYLES, WEIGHTS, originals)
    assert 0 < seen.flipped.sum() < len(STYLES)
    torch.testing.assert_close(followed.ssim, seen.ssim, equal_nan=True)
    averaged = 1 - structure_loss(where.render(STYLES, WEIGHTS), originals.images)
    assert (averaged - seen.ssim)[seen.flipped].max() > 0.04


def test_ssim_of_large_pictures_is_computed_of_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes 18 times their memory: of a batch of 32 at 1024² that were 7 GB."""
    where, together = evaluator(), []
    originals = where.originals(STYLES)
    whole = looked_at(where, STYLES, WEIGHTS, originals).ssim

    def recording(x: Tensor, y: Tensor) -> Tensor:
        together.append(len(x))
        return ssim(x, y)

    monkeypatch.setattr("zoom_engine.evaluation.evaluator.ssim", recording)
    monkeypatch.setattr("zoom_engine.evaluation.evaluator._COMPARED", 2 * where.render(STYLES[:1]).numel())
    assert torch.equal(looked_at(where, STYLES, WEIGHTS, originals).ssim, whole)
    some = looked_at(where, STYLES, WEIGHTS, originals, ssim="flipped")
    assert torch.equal(some.ssim[some.flipped], whole[some.flipped])
    assert together[:3] == [2, 2, 1]
    assert max(together) == 2


@pytest.mark.parametrize("follow", ["value_and_grad", "value_and_slopes"])
def test_large_pictures_are_followed_some_at_a_time(follow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator keeps half a gigabyte of each picture of 1024² until its gradient is there."""
    drawn: list[int] = []

    def drawing(styles: Tensor) -> Tensor:
        drawn.append(len(styles))
        return synthesize(styles)

    where = Evaluator(Drawing(drawing), DIRECTIONS, target(linear), labels=ZeroShotLabels(ColourLabels(0.5), LABELS))
    originals = where.originals(STYLES)
    whole, slopes = getattr(where, follow)(STYLES, WEIGHTS, originals)
    monkeypatch.setattr("zoom_engine.common.machine.FOLLOWED", 2 * originals.images[0, 0].numel())
    drawn.clear()
    some, same = getattr(where, follow)(STYLES, WEIGHTS, originals)
    assert drawn == [2, 2, 1]
    assert torch.equal(same, slopes)
    for name, value in vars(whole).items():
        assert torch.equal(getattr(some, name), value) if isinstance(value, Tensor) else getattr(some, name) == value


def test_images_are_clamped_to_what_can_be_shown() -> None:
    where = Evaluator(Drawing(lambda styles: synthesize(styles) * 100), DIRECTIONS, target(linear))
    images = where.render(STYLES, WEIGHTS)
    assert images.amin() == -1
    assert images.amax() == 1


def test_outputs_that_are_not_numbers_are_refused() -> None:
    def broken(x: Tensor) -> Tensor:
        return torch.where(x[:, 0] > 1, torch.nan, x[:, 0])

    where = evaluator(broken)
    with pytest.raises(TargetError, match="NaN or infinite outputs") as caught:
        looked_at(where, torch.zeros(1, 4), torch.tensor([[5.0, 0, 0]]), where.originals(torch.zeros(1, 4)))
    assert "\n" not in str(caught.value)


def test_gradients_that_are_not_numbers_are_refused() -> None:
    where = evaluator(lambda x: x[:, 0].square().sqrt().sqrt() - 1)
    with pytest.raises(TargetError, match="gradient of target"):
        where.value_and_grad(torch.zeros(1, 4), torch.zeros(1, 3), where.originals(torch.zeros(1, 4)))


def test_originals_gather_and_join() -> None:
    originals = labelled().originals(STYLES)
    again = Originals.cat([originals.rows(torch.tensor([0, 1])), originals.rows(torch.tensor([2, 3, 4]))])
    assert len(again) == 5
    torch.testing.assert_close(again.images, originals.images)
    torch.testing.assert_close(again.labels, originals.labels)


def test_find_search() -> None:
    assert describe_search(find_search("scan", mode="single", options={"points": 6}))["points"] == 6
    for name, mode, options, message in (
        ("adam", "single", {}, "no search"),
        ("scan", "multi", {}, "no multi mode"),
        ("sgd", "both", {}, "no mode"),
        ("pgd", "multi", {"nesterov": 1}, "no option 'nesterov'; known are steps, learning_rate"),
        ("pgd", "multi", {"mode": "single"}, "no option 'mode'"),
        ("sgd", "single", {"steps": 10.5}, "option of sgd 'steps' must be a whole number, got 10.5"),
        ("pgd", "multi", {"early_stop": "no"}, "option of pgd 'early_stop' must be true or false, got 'no'"),
        ("scan", "single", {"points": 8.5}, "option of scan 'points' must be a whole number, got 8.5"),
        ("minimal", "multi", {"steps": "none"}, "option of minimal 'steps' must be a whole number, got None"),
        ("cmaes", "multi", {"population": 6.0}, "option of cmaes 'population' must be a whole number, got 6.0"),
    ):
        with pytest.raises(ConfigError, match=message):
            find_search(name, mode=mode, options=options)


class Watched(ColourLabels):
    """Counts the pictures that it sees; `tilt` is by what it sees them too green, or too red every second time."""

    def __init__(self, at: float, tilt: float = 0.0) -> None:
        super().__init__(at)
        self.tilt, self.seen = tilt, 0
        self.rounding = torch.full((4, 2), tilt) * torch.tensor([1.0, -1.0])

    def embed_images(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        signs = 1.0 - 2.0 * (torch.arange(len(images)) % 2)
        return super().embed_images(images) + self.tilt * signs[:, None] * torch.tensor([1.0, -1.0])


def test_a_quick_encoder_tells_no_other_label() -> None:
    """The text encoder itself sees what the quick one leaves in doubt, and of a loss and its gradient everything."""
    styles = torch.linspace(-2, 3, 41)[:, None] * torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    plain, exact, quick = labelled(), Watched(0.5), Watched(0.5, tilt=0.01)
    where = evaluator(linear, labels=ZeroShotLabels(exact, LABELS, quick_encoder=quick))
    originals = where.originals(styles)
    assert originals.labels is not None
    assert torch.equal(originals.labels, plain.originals(styles).labels)
    assert 0 < exact.seen < len(styles) / 2
    rough = quick.embed_images(where.render(styles))
    assert not torch.equal(rough.argmax(dim=1), 1 - (styles[:, 1] > 0.5).long())  # it would have erred

    weights = torch.zeros(len(styles), 3)
    weights[:, 1] = 0.7
    for value in (looked_at(where, styles, weights, originals), where.value_and_slopes(styles, weights, originals)[0]):
        assert torch.equal(value.label_kept, looked_at(plain, styles, weights, originals).label_kept)
    exact.seen = quick.seen = 0
    result, gradient = where.value_and_grad(styles, weights, originals)
    wanted, slope = plain.value_and_grad(styles, weights, originals)
    assert result.loss is not None
    assert wanted.loss is not None
    assert torch.equal(result.loss, wanted.loss)
    assert torch.equal(gradient, slope)
    assert (exact.seen, quick.seen) == (len(styles), 0)


def test_an_encoder_that_rounds_nothing_is_not_asked_twice() -> None:
    exact = Watched(0.5)
    exact.rounding = None  # type: ignore[assignment]
    labels = ZeroShotLabels(exact, LABELS, quick_encoder=exact)
    evaluator(linear, labels=labels).originals(STYLES)
    assert (labels.first_encoder, exact.seen) == (exact, len(STYLES))
