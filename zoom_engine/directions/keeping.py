"""Edit directions that leave chosen texts alone: their side effects on these are measured on pictures and removed.

Every direction is followed a little on the same unedited pictures, and so is that of each text to be kept. From an edit
so much of these texts' directions is subtracted that the scores of the texts stay where they are, which is a system of
K linear equations; what its solution leaves open, as texts that mean the same do, is taken as 0. This is done twice,
because pictures answer edits only nearly in proportion. (To make relevances orthogonal instead overshoots: a relevance
says which channels go with a text, not how pictures answer them.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.calibration import score_directions, text_scores
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.prompted import PROMPTED
from zoom_engine.directions.relevance import Sampling
from zoom_engine.generators import EditableGenerator
from zoom_engine.settings.attributes import Attribute
from zoom_engine.text import TextEncoder

PICTURES = 32
_WEIGHT = 8.0  # standard deviations: about two thirds of what the avatars' ranges are
_ROUNDS = 2
_LEAST_LEFT = 0.1  # of the length of an edit from which others are taken out
_LEAST_TOLD = 0.05  # of the largest singular value: ways in which edits of kept texts hardly move their scores are none


@torch.no_grad()
def keeping(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    directions: EditDirections,
    keep: Sequence[str],
    *,
    count: int,
    sampling: Sampling,
) -> EditDirections:
    """Return the first `count` of the `directions` without side effects on the texts `keep`.

    `directions` hold those of the texts `keep` too. An attribute that is to be kept is changed by its own edit only, of
    whichever of its paraphrases that is. It is measured on the pictures of `sampling`.

    Raises:
        DirectionError: a tenth or less is left of an edit.
    """
    names = directions.attributes
    prompts = [Attribute.parse(text).keys for text in keep]
    others = [
        [place for place, same in enumerate(prompts) if same.isdisjoint(Attribute.parse(name).keys)]
        for name in names[:count]
    ]
    depends_on = {
        **sampling.identity(generator, text_encoder),
        "directions": directions.content_hash,
        "prompts": [*names, directions.neutral, *directions.provenance["templates"]],
        "keep": list(keep),
        "others": others,
        "least_told": _LEAST_TOLD,
    }

    def measure() -> dict[str, Tensor]:
        return {"matrix": _orthogonal(generator, text_encoder, directions, keep, others, sampling)}

    matrix = DirectionCache(sampling.cache).cached("keeping", depends_on, measure)["matrix"]
    return dataclasses.replace(
        directions,
        matrix=matrix,
        attributes=names[:count],
        channels=tuple((matrix != 0).sum(dim=1).tolist()),
        strength=directions.strength[:count],
        noise_floor=directions.noise_floor[:count],
        provenance={**directions.provenance, "keep": list(keep)},
    )


def _orthogonal(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    directions: EditDirections,
    keep: Sequence[str],
    others: Sequence[Sequence[int]],
    sampling: Sampling,
) -> Tensor:
    """Compute the matrix `[N, S]` of N attributes that leave alone `others` of the texts `keep`, by their places."""
    names, count = directions.attributes, len(others)
    indices = [names.index(text) for text in keep]
    std = sampling.statistics(generator).std
    per_std = torch.where(std > 0, 1 / std.clamp(min=1e-30), 0.0)
    along = score_directions(text_encoder, directions)[indices]
    codes = sampling.codes(generator)
    ways = torch.where(torch.arange(len(codes)) % 2 == 0, 1.0, -1.0)
    renderer = sampling.renderer_of(generator)
    parts = torch.split(torch.arange(len(codes)), sampling.batch_size)
    with sampling.progress(len(indices) + _ROUNDS * count, "Keeping what is to be kept", unit="edit") as bar:
        before = text_scores(text_encoder, along, (renderer.render(codes[part]) for part in parts))

        def moved(rows: Tensor) -> Tensor:
            """Compute what one step along each of the `rows [R, S]` adds to the kept scores, `[R, K]`, on average."""
            effects = []
            for row in rows:
                edits = _WEIGHT * ways[:, None]
                pictures = (renderer.render(codes[part], edits[part], row[None]) for part in parts)
                after = text_scores(text_encoder, along, pictures)
                effects.append(((after - before) * ways[:, None]).mean(dim=0) / _WEIGHT)
                bar.update(1)
            return torch.stack(effects).double()

        matrix = directions.matrix[:count].clone()
        taking, effects_of_kept = directions.matrix[indices], moved(directions.matrix[indices])
        for _ in range(_ROUNDS):
            for row, effects in enumerate(moved(matrix)):
                if not (free_of := others[row]):
                    continue
                answers = effects_of_kept[free_of][:, free_of]
                # Texts that mean the same, or that share out a whole as colours do, would be taken out many times over.
                solved = torch.linalg.lstsq(answers.T, effects[free_of, None], rcond=_LEAST_TOLD, driver="gelsd")
                coefficients = solved.solution[:, 0]
                rest = matrix[row].double() - coefficients @ taking[free_of].double()
                if directions.method == PROMPTED:  # of which σ is no measure
                    left = float(rest.norm() / directions.matrix[row].norm())
                else:
                    left = float((rest * per_std).norm())
                if not left > _LEAST_LEFT:
                    raise DirectionError(
                        f"nothing is left of '{names[row]}' beside what is to be kept: the generator changes both"
                        " together; keep less"
                    )
                matrix[row] = (rest / left).float()
    return matrix
