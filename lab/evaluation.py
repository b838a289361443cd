"""The quality figures of an embedded domain's shipped weights.

The judge of generator and edits is the probe, a classifier trained on renders that no search ever sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.captions import HELD_OUT_TEMPLATES
from lab.pictures import predict, tiled, to_uint8
from lab.training.degrees import at_degree
from lab.training.subject import TrainingSubject
from zoom_engine.common.errors import DirectionError, TextEncoderError
from zoom_engine.common.files.cache import default_cache
from zoom_engine.common.progress import forced
from zoom_engine.directions import find_directions
from zoom_engine.domains.embedded import RenderedDomain
from zoom_engine.domains.networks import SmallCNN, to_float
from zoom_engine.domains.parameters import LATENT_DIM
from zoom_engine.domains.subject import EFFECT_SEED
from zoom_engine.domains.truth import CLEAR_MARGIN
from zoom_engine.domains.weights_files import load_network
from zoom_engine.runtime import compiled_network, compiled_text_encoder
from zoom_engine.targets import Target
from zoom_engine.targets.target import probe_images
from zoom_engine.text import TextEncoder

TEXT_SEED, RENDER_SEED, SAMPLE_SEED = 9001, 9100, 9200
WEIGHT_GRID = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 18.0, 24.0, 30.0)
# Sampled relevance renders every channel twice per sample: 8 of them are 21,000 pictures here.
SAMPLES: dict[str, int | None] = {"regression": None, "sampled": 8, "gradient": None}
WANTED_CHANGE, ALLOWED_CHANGE = 0.80, 0.15
NEIGHBOURS = 3
Unseen = Mapping[str, Sequence[tuple[str, str]]]  # by attribute pairs of wordings that training never read


@dataclass(frozen=True)
class Evaluation:
    """Measures the weights of ``domain`` against the renders and the truth of ``subject``; true effects over
    ``effects_of`` pictures."""

    domain: RenderedDomain
    subject: TrainingSubject[Any]
    effects_of: int = 300

    @property
    def parts(self) -> dict[str, Callable[..., dict[str, Any]]]:
        """What measures each part of a domain, see `evaluation_command`."""
        return {
            "text": self.text_quality,
            "generator": self.generator_quality,
            "edits": self.edit_quality,
            "targets": self.target_quality,
        }

    def probe(self) -> SmallCNN:
        """The judge, in evaluation mode."""
        network = load_network(self.subject.probe)[0]
        assert isinstance(network, SmallCNN)
        return network

    def generated(self, count: int, seed: int, *, batch_size: int = 100) -> tuple[Tensor, Tensor]:
        """``(styles [n, S], images uint8 [n, R, R, 3])`` of random latents at ψ = 1."""
        generator = self.domain.generator()
        z = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, generator.z_dim)).astype(np.float32))
        styles = generator.styles(generator.mapping(z))
        return styles, self.drawn(styles, at_once=batch_size)

    @torch.no_grad()
    def drawn(
        self, styles: Tensor, weights: Tensor | None = None, direction: Tensor | None = None, *, at_once: int = 100
    ) -> Tensor:
        """Images uint8 ``[n, R, R, 3]`` of styles ``[n, S]``, edited by ``weights [n]`` along ``direction [S]``."""
        parts = []
        for rows in torch.split(torch.arange(len(styles)), at_once):
            edits = (None, None) if weights is None or direction is None else (weights[rows, None], direction[None])
            parts.append(to_uint8(self.domain.synthesizer().render(styles[rows], *edits)))
        return torch.cat(parts)

    def text_encoder(self) -> TextEncoder:
        """The domain's, compiled."""
        return compiled_text_encoder(self.domain.text_encoder(), self.domain.synthesizer())[0]

    @torch.no_grad()
    def embedded(self, count: int) -> tuple[Tensor, Any]:
        """The text encoder's embeddings ``[n, D]`` of renders that training never saw, and their margins."""
        encoder = self.text_encoder()
        images, parameters = self.subject.sample(count, TEXT_SEED)
        parts = torch.split(torch.from_numpy(images), 100)
        embeddings = [encoder.embed_images(to_float(part)) for part in forced(parts, "Embedding", unit="batch")]
        return torch.cat(embeddings), self.subject.truth.margins(parameters)

    def text_quality(self, count: int = 2000, *, unseen: Unseen | None = None) -> dict[str, Any]:
        """`zero_shot` of ``count`` renders that training never saw, and where there are any, of ``unseen`` wordings."""
        embedded, table = self.embedded(count)
        figures = self.zero_shot(embedded, table)
        if unseen is not None:
            figures["unseen"] = unseen_quality(self.text_encoder(), embedded, table, unseen)
        return figures

    def zero_shot(self, embedded: Tensor, table: Any) -> dict[str, Any]:
        """Balanced zero-shot accuracy per attribute on ``embedded`` renders that are clearly on one side by their
        margins ``table``.

        ``accuracy`` averages the prompts' embeddings over templates that training never saw, ``worst_template`` is the
        lowest figure of a single one.
        """
        encoder = self.text_encoder()
        rows: dict[str, Any] = {}
        for attribute in self.subject.truth.attributes:
            prompts = self.subject.zero_shot_prompts(attribute)
            single = [
                balanced(embedded, encoder.embed_texts(prompts, templates=[t]), table[attribute])
                for t in HELD_OUT_TEMPLATES
            ]
            together = balanced(embedded, encoder.embed_texts(prompts, templates=HELD_OUT_TEMPLATES), table[attribute])
            rows[attribute] = {"accuracy": together, "worst_template": min(single)}
        return {"renders": len(embedded), "margin": CLEAR_MARGIN, "seed": TEXT_SEED, "attributes": rows}

    def generator_quality(self, count: int = 10_000, *, psnr_on: int = 500) -> dict[str, Any]:
        """Precision and recall in probe features, and attribute frequencies as the probe sees them, at ψ = 1; PSNR over
        ``psnr_on`` renders.

        ``between_renders`` is how much of one half of the renders the other half covers: the recall, and the precision,
        of a perfect generator of half as many samples.
        """
        judge = self.probe()
        real, _ = self.subject.sample(count, RENDER_SEED)
        _, fake = self.generated(len(real), SAMPLE_SEED)
        real_images = torch.from_numpy(real)
        real_features, fake_features = (_features(judge, images) for images in (real_images, fake))
        precision, recall = precision_recall(real_features, fake_features)
        _, between_renders = precision_recall(real_features[::2], real_features[1::2])
        frequencies = {
            name: {"renders": round(float(a), 4), "samples": round(float(b), 4)}
            for name, a, b in zip(
                self.subject.truth.attributes,
                (judge.head(real_features) > 0).float().mean(0),
                (judge.head(fake_features) > 0).float().mean(0),
                strict=True,
            )
        }
        worst = max(abs(row["renders"] - row["samples"]) for row in frequencies.values())
        return {
            "samples": len(real),
            "neighbours": NEIGHBOURS,
            "precision": round(precision, 4),
            "recall": round(recall, 4),
            "between_renders": round(between_renders, 4),
            "largest_frequency_gap": round(worst, 4),
            "frequencies": frequencies,
            "psnr_db": self._psnr(psnr_on),
        }

    def twins(self, count: int) -> tuple[Tensor, Tensor]:
        """Renders of random latents and what the generator draws for the same, uint8 ``[n, R, R, 3]`` each."""
        parameters, drawn = self.drawn_twins(count)
        return torch.from_numpy(self.subject.render(parameters)), drawn

    def drawn_twins(self, count: int) -> tuple[Any, Tensor]:
        """The parameters of random latents and what the generator draws for these, uint8 ``[n, R, R, 3]``."""
        z = np.random.default_rng(SAMPLE_SEED + 1).standard_normal((count, LATENT_DIM)).astype(np.float32)
        generator = self.domain.generator()
        return self.subject.table.from_latents(z), self.drawn(generator.styles(generator.mapping(torch.from_numpy(z))))

    def _psnr(self, count: int) -> float:
        """Mean PSNR between generator and renderer for the same latents, which the distillation aims at."""
        truth, images = self.twins(count)
        error = (images.float() - truth.float()).square().mean(dim=(1, 2, 3))
        return round(float((10 * torch.log10(255.0**2 / error)).mean()), 2)

    def edit_quality(self, method: str, *, choose_on: int = 64, measure_on: int = 256) -> dict[str, Any]:
        """What each edit direction changes, as the probe sees it.

        A picture without the attribute is edited by +w, one that has it by -w. The weight w of each attribute is chosen
        on other samples than those it is measured on: the one of ``WEIGHT_GRID`` with the most wanted change (more than
        90 % counts no further), less twice the worst unwanted change above 8 %. ``row`` holds the change of every
        attribute. An attribute that the method finds no channel for has ``refused`` instead, the reason.
        """
        attributes = self.subject.truth.attributes
        judge, _ = compiled_network(
            self.probe(), probe_images(self.subject.side, self.subject.side), self.domain.synthesizer().networks
        )
        directions = self._directions_by(method)
        chosen_styles, chosen_images = self.generated(choose_on, SAMPLE_SEED + 2)
        styles, images = self.generated(measure_on, SAMPLE_SEED + 3)
        before_chosen, before = predict(judge, chosen_images) > 0, predict(judge, images) > 0
        rows: dict[str, Any] = {}
        for index, name in enumerate(forced(attributes, f"Edits by {method}", unit="attribute")):
            direction = directions[name]
            if isinstance(direction, str):
                rows[name] = {"refused": direction}
                continue
            related = self.subject.truth.exclusions(name)
            outside = [i for i, other in enumerate(attributes) if i != index and other not in related]

            def changed(
                at: float, base: Tensor, has: Tensor, direction: Tensor = direction, index: int = index
            ) -> Tensor:
                weights = torch.where(has[:, index], -at, at)
                return ((predict(judge, self.drawn(base, weights, direction)) > 0) != has).float().mean(0)

            weight = _choose_weight(lambda at: changed(at, chosen_styles, before_chosen), index, outside)
            rates = changed(weight, styles, before)
            rows[name] = {
                "weight": weight,
                "changed": round(float(rates[index]), 4),
                "worst_other": round(float(rates[outside].max()), 4),
                "which_other": attributes[outside[int(rates[outside].argmax())]],
                "row": {other: round(float(rate), 4) for other, rate in zip(attributes, rates, strict=True)},
            }
        measured_rows = {name: row for name, row in rows.items() if "refused" not in row}
        good = [
            n
            for n, row in measured_rows.items()
            if row["changed"] >= WANTED_CHANGE and row["worst_other"] <= ALLOWED_CHANGE
        ]
        return {
            "method": method,
            "choose_on": choose_on,
            "measure_on": measure_on,
            "passing": good,
            "attributes": rows,
        }

    def _directions_by(self, method: str) -> dict[str, Tensor | str]:
        """The edit direction ``[S]`` of each attribute, or why there is none."""
        encoder, attributes = self.text_encoder(), self.subject.truth.attributes

        def find(names: Sequence[str]) -> Tensor:
            return find_directions(
                self.domain.generator(),
                encoder,
                [self.subject.prompt(name) for name in names],
                neutral=self.domain.neutral,
                method=method,
                samples=SAMPLES[method],
                synthesizer=self.domain.synthesizer(),
                cache=default_cache(),
                progress=forced,
            ).matrix

        try:
            return dict(zip(attributes, find(attributes), strict=True))
        except DirectionError:
            pass  # one is refused: which ones, and why, the calls one by one say from what is cached by now
        directions: dict[str, Tensor | str] = {}
        for name in attributes:
            try:
                directions[name] = find([name])[0]
            except DirectionError as reason:
                directions[name] = str(reason)
        return directions

    def true_effects(
        self, names: Sequence[str] | None = None, *, count: int | None = None
    ) -> dict[str, dict[str, float]]:
        """`Subject.effects_on` the domain's targets of these names, or on all its classifiers, of every attribute."""
        targets = {name: self.domain.target(name) for name in names or self.domain.classifier_names()}
        return self.domain.effects_of(targets, self.subject.truth.attributes, count=count or self.effects_of)

    @torch.no_grad()
    def degree_effects(
        self, targets: Mapping[str, Target], attributes: Sequence[str], *, count: int = 100, degrees: int = 7
    ) -> dict[str, dict[str, float]]:
        """Measure by target and attribute the mean over renders of the largest change between any two degrees.

        `true_effects` compares absent with present alone, and misses a target that errs in between, such as at dusk.
        """
        subject, parameters = self.subject, self.subject.parameters(count, EFFECT_SEED)
        effects: dict[str, dict[str, float]] = {name: {} for name in targets}
        for attribute in forced(attributes, "Effects of degrees", unit="attribute"):
            tables = [at_degree(subject.truth, parameters, attribute, degree) for degree in np.linspace(0, 1, degrees)]
            drawn = [torch.split(to_float(torch.from_numpy(subject.render(table))), 50) for table in tables]
            for name, target in targets.items():
                outputs = [torch.cat([target(part) for part in parts]) for parts in drawn]
                changes = [target.task.change(*pair) for pair in combinations(outputs, 2)]
                effects[name][attribute] = round(float(torch.stack(changes).amax(0).mean()), 4)
        return effects

    @torch.no_grad()
    def target_quality(self, *, twins: int = 500) -> dict[str, Any]:
        """Accuracy on untied held-out renders (from the weights' own metadata), true effects, and ``agreement``: of
        ``twins`` latents the share that a target decides alike on the render and on what the generator draws."""
        effects = self.true_effects()
        pairs = [torch.split(images, 50) for images in self.twins(twins)]
        figures: dict[str, Any] = {}
        for name, row in effects.items():
            _, info = load_network(self.domain.weights / "targets" / f"{name}.safetensors")
            target = self.domain.target(name)  # reads larger pictures at the size that it was trained on
            render, drawing = (torch.cat([target(to_float(part)) for part in parts]) > 0 for parts in pairs)
            figures[name] = {
                "untied_accuracy": info["untied_accuracy"],
                "agreement": round(float((render == drawing).float().mean()), 4),
                "attribute": info["outputs"][0],
                "planted": info["planted"],
                "planted_effect": row[info["planted"]] if info["planted"] else None,
                "effects": row,
                "effects_of": self.effects_of,
            }
        return figures

    def contact_sheet(self, path: Path, *, rows: int = 6, columns: int = 12) -> None:
        """A picture of renders (left half) and generator samples (right half), for the model card."""
        from PIL import Image

        real, _ = self.subject.sample(rows * columns // 2, RENDER_SEED + 1)
        _, fake = self.generated(rows * columns // 2, SAMPLE_SEED + 4)
        side = self.subject.side
        halves = [images.reshape(rows, columns // 2, side, side, 3) for images in (real, fake.numpy())]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(tiled(np.concatenate(halves, axis=1))).save(path, quality=90)


def unseen_quality(
    encoder: TextEncoder,
    embedded: Tensor,
    margins: Mapping[str, NDArray[np.float32]],
    unseen: Unseen,
) -> dict[str, Any]:
    """By attribute and pair of wordings that training never read: their accuracy as in `balanced`, or why the encoder
    refuses them."""
    rows: dict[str, dict[str, float | str]] = {}
    for name, pairs in unseen.items():
        rows[name] = {}
        for pair in pairs:
            try:
                encoder.check_words(pair)
            except TextEncoderError as refusal:
                rows[name][" / ".join(pair)] = str(refusal)
            else:
                rows[name][" / ".join(pair)] = balanced(embedded, encoder.embed_texts(pair), margins[name])
    told = [value for row in rows.values() for value in row.values() if isinstance(value, float)]
    count = sum(len(row) for row in rows.values())
    return {
        "pairs": count,
        "refused": count - len(told),
        "mean_accuracy": round(float(np.mean(told)), 4) if told else None,
        "least_0.8": sum(value >= 0.8 for value in told),
        "attributes": rows,
    }


def balanced(images: Tensor, texts: Tensor, margin: NDArray[np.float32]) -> float:
    """Mean share of the pictures clearly with, and of those clearly without the attribute, that ``texts`` tell."""
    says = (images @ texts[0] > images @ texts[1]).numpy()
    present, absent = margin >= CLEAR_MARGIN, margin <= -CLEAR_MARGIN
    return round(float((says[present].mean() + (~says[absent]).mean()) / 2), 4)


def precision_recall(real: Tensor, fake: Tensor, *, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi 2019) of feature sets ``[n, D]`` and ``[m, D]``.

    A sample counts as covered where it lies within the distance of any point of the other set to that point's
    k-th neighbour.
    """

    def radii(points: Tensor) -> Tensor:
        distances = [
            torch.cdist(part, points).kthvalue(neighbours + 1, dim=1).values for part in torch.split(points, 500)
        ]
        return torch.cat(distances)

    def covered(points: Tensor, others: Tensor, radius: Tensor) -> float:
        inside = [(torch.cdist(part, others) <= radius).any(dim=1) for part in torch.split(points, 500)]
        return float(torch.cat(inside).float().mean())

    return covered(fake, real, radii(real)), covered(real, fake, radii(fake))


@torch.no_grad()
def _features(judge: SmallCNN, images: Tensor) -> Tensor:
    return torch.cat([judge.features(to_float(part)) for part in torch.split(images, 200)])


def _choose_weight(changed: Callable[[float], Tensor], index: int, outside: list[int]) -> float:
    best, best_score = WEIGHT_GRID[0], -1.0
    for weight in WEIGHT_GRID:
        rates = changed(weight)
        wanted, unwanted = float(rates[index]), float(rates[outside].max())
        score = min(wanted, 0.9) - 2 * max(unwanted - 0.08, 0.0)
        if score > best_score + 0.01:
            best, best_score = weight, score
    return best
