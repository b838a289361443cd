"""The reference's search is the method's: the engine's own SGD and PGD, set to the same terms, take the same steps."""

from __future__ import annotations

import pytest
import torch
from networks import Function, spread_generator, styles_of
from search_toys import run_trials, trial
from torch import Tensor

from zoom_engine.diagnose.domain import find_domain
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.evaluation.labels import ZeroShotLabels
from zoom_engine.search import PGD, SGD, SearchResult, Trial
from zoom_engine.settings.audit_settings import LossWeights
from zoom_engine.targets import BinaryTask, Target


def redness(colours: Tensor) -> Tensor:
    return 20 * (colours[:, 0] - colours[:, 2])


@pytest.mark.parametrize("sign", [False, True])
@pytest.mark.parametrize("attribute", [None, 1])
def test_the_baseline_takes_the_engines_steps(sign: bool, attribute: int | None) -> None:
    from baseline import BOUND, LABEL_WEIGHT, TARGET_WEIGHT, Reference, ReferenceSearch

    steps = 4
    network = spread_generator()
    styles = styles_of(network, 1)
    directions = torch.randn(3, network.space.size, generator=torch.Generator().manual_seed(0))
    directions[:, network.space.fixed_mask()] = 0.0
    target = Target(Function(redness), name="redness", task=BinaryTask())
    domain = find_domain("avatars")
    assert domain is not None
    encoder = domain.text_encoder()
    labels = ("a face with a mustache", "a face without a mustache")
    search = ReferenceSearch(Reference(network, directions, target, encoder, labels), styles[0], attribute, sign=sign)
    search.run(steps)
    terms = LossWeights(target=TARGET_WEIGHT, structure=0.0, label=LABEL_WEIGHT)
    evaluator = Evaluator(network, directions, target, labels=ZeroShotLabels(encoder, labels), loss_weights=terms)
    result: list[tuple[Trial, SearchResult]] = []
    run_trials(
        [trial(0, attribute, -BOUND, BOUND)],
        search=(PGD if sign else SGD)(steps=steps),  # which evaluates what the last step leads to
        evaluator=evaluator,
        styles=styles,
        on_result=result.extend,
    )
    last = torch.tensor(result[0][1].trajectory[-1].weights)
    assert last.abs().max() > 0.1
    torch.testing.assert_close(search.weights, last, rtol=1e-3, atol=1e-4)


def test_only_what_crosses_the_boundary_and_keeps_its_label_has_flipped() -> None:
    from baseline import Reference, ReferenceSearch

    class Label:
        logit_scale = 1.0

        def __init__(self, changes: bool) -> None:
            self.changes, self.asked = changes, 0

        def embed_texts(self, prompts: object) -> Tensor:
            return torch.eye(2)

        def embed_images(self, images: Tensor) -> Tensor:
            self.asked += 1
            return torch.eye(2)[[1 if self.changes and self.asked > 1 else 0]] + 0 * images.mean()

    network = spread_generator()
    styles = styles_of(network, 1)
    directions = torch.randn(1, network.space.size, generator=torch.Generator().manual_seed(0))
    start = float((network.render(styles).mean((2, 3))[0, 0] + 1) / 2)  # as the target sees it
    for changes in (False, True):
        for far in (0.0, 10.0):  # the boundary lies just beside the original, or out of reach
            target = Target(
                Function(lambda x, far=far: 50 * (x[:, 0] - start - 1e-4 - far)), name="red", task=BinaryTask()
            )
            reference = Reference(network, directions, target, Label(changes), ("a", "b"))  # type: ignore[arg-type]
            search = ReferenceSearch(reference, styles[0], 0, sign=True)
            assert not search.flipped
            search.run(3)
            assert search.flipped == (far == 0.0 and not changes)
