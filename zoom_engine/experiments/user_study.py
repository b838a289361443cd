"""The user study (Luo 2023, supplement A.2, Table 1, Fig. 5): pages for people, and machines in their place."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.audit.records import Record, is_natural
from zoom_engine.common.files.png import png_bytes, to_pixels
from zoom_engine.experiments.estimates import error_bars, percent, wilson
from zoom_engine.experiments.experiment import Data, Experiment
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.study import Spec, Study, UnsuitedError
from zoom_engine.experiments.style import INK, MUTED, STYLES, figure, show_tiles
from zoom_engine.report import write_user_study
from zoom_engine.statistics.diagnosis import Diagnosis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUESTIONS = 10  # of each study
GROUPS = (1, 2)
MOST_PAIRS = 25  # pairs of a target at most
SIDE = 384  # pixels of a picture on a page
SHOWN = 4  # sample questions in the figure
FOLDS = 5  # of the classifier in place of people
PENALTY = 1.0  # of its squared weights, a picture's share of the loss being 1
ANSWERS = "zoom-engine/user-study-answers/1"


def run(study: Study, folder: Folder) -> dict[str, Any]:
    """Make pairs of unedited image and counterfactual of every binary target, questions, and proxies."""
    targets = study.binary_targets()
    parts = []
    for target in study.progress(targets, f"Counterfactuals of {study.name}", unit="target"):
        parts.append(folder.part(f"pairs of {study.title(target)}", partial(_pairs, study, folder, target)))
    pairs = sorted((pair for part in parts for pair in part["pairs"]), key=lambda pair: (-pair["worth"], pair["rank"]))
    if not pairs:
        raise UnsuitedError("no edit of its audits stays within what the generator draws, so there is nothing to ask")
    proxy = folder.part("proxy", partial(_proxy, study, folder, pairs))
    kept_of = [sum(part["label_kept"][i] for part in parts) for i in (0, 1)]
    shown = pairs[: 2 * QUESTIONS]
    identity = hashlib.sha256(json.dumps([study.identity(), shown], sort_keys=True).encode()).hexdigest()[:16]
    return {
        "study": identity,
        "pairs": shown,
        "flips": sum(pair["flipped"] for pair in shown),
        "groups": [{"group": group, "questions": _questions(shown, study.seed, group)} for group in GROUPS],
        "proxy": {"pictures": len(proxy), "accuracy": wilson(sum(proxy), len(proxy)), "pairs": len(pairs)},
        "label_agreement": wilson(kept_of[0], kept_of[1]),
    }


def _pairs(study: Study, folder: Folder, target: Spec) -> dict[str, Any]:
    """Return the clearest edits of a target's audit: natural counterfactuals first, then what moves the output most."""
    audit = study.audits([target])[study.title(target)]
    diagnoser = study.diagnoser(target)
    directions = diagnoser.edit_directions()
    evaluator = diagnoser.models.evaluator(directions)
    records = sorted(filter(is_natural, audit.records), key=lambda record: (-_worth(audit, record), -record.change))
    styles = diagnoser.models.styles(study.seeds(audit.summary().images))
    chosen, pairs = records[:MOST_PAIRS], []
    for rank, record in enumerate(chosen):
        style = styles[record.image][None]
        with torch.no_grad():
            before = evaluator.render(style)
            images = torch.cat([before, evaluator.render(style, torch.tensor([record.edit_weights]))])
        originals = evaluator.originals_of(before)
        name = f"{study.title(target)} {record.seed} {record.attribute}"
        files = [folder.picture(f"{name} {i}", pixels) for i, pixels in enumerate(to_pixels(images))]
        pairs.append(
            {
                "target": study.title(target),
                "attribute": study.short(record.attribute or ""),
                "seed": record.seed,
                "label": None if originals.labels is None else diagnoser.models.labels[int(originals.labels[0])],
                "flipped": record.flipped,
                "worth": _worth(audit, record),
                "rank": rank,
                "files": files,
            }
        )
    labels = [record.label_kept for record in audit.records if record.label_kept is not None]
    return {"pairs": pairs, "label_kept": [sum(labels), len(labels)]}


def _worth(audit: Diagnosis, record: Record) -> int:
    return int(record.flipped) + int(audit.is_decisive(record))


def _proxy(study: Study, folder: Folder, pairs: Sequence[dict[str, Any]]) -> list[int]:
    """Return for every picture of the pairs whether a discriminator is right about its being edited.

    An unedited image counts once.
    """
    files = {pair["files"][0]: (pair["seed"], False) for pair in _first_of_image(pairs)}
    files |= {pair["files"][1]: (pair["seed"], True) for pair in _first_of_image(pairs)}
    pixels = np.stack([folder.load(file) for file in files])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    encoder, device = study.editing.text_encoder, study.editing.generator.device
    with torch.no_grad():
        features = torch.cat([encoder.embed_images(part.to(device)).cpu() for part in torch.split(images, 32)])
    about = list(files.values())
    return told_apart(
        features, torch.tensor([is_edited for _, is_edited in about]), np.array([seed for seed, _ in about])
    )


def told_apart(features: Tensor, edited: Tensor, images: NDArray[np.int64], *, seed: int = 0) -> list[int]:
    """Return for each picture whether a cross-validated classifier, in place of people, was right, 1 or 0.

    It is a logistic regression on standardised features. The pictures of one image are in the same of five folds, so
    that nothing is recognised from training; those of a single image are left out, as there are no others.

    Args:
        features: float `[B, D]`.
        edited: bool `[B]`.
        images: int64 `[B]`, the image that each picture is of.
        seed: of the folds.
    """
    names = np.unique(images)
    folds = dict(
        zip(np.random.default_rng(seed).permutation(names).tolist(), np.arange(len(names)) % FOLDS, strict=True)
    )
    fold = torch.tensor([folds[image] for image in images.tolist()])
    right = torch.full((len(features),), -1)
    for left_out in range(FOLDS):
        test = fold == left_out
        if bool(test.any()) and bool((~test).any()):
            mean, std = features[~test].mean(dim=0), features[~test].std(dim=0).clamp(min=1e-6)
            weights, bias = _fitted((features[~test] - mean) / std, edited[~test])
            says = ((features[test] - mean) / std) @ weights + bias > 0
            right[test] = (says == edited[test]).long()
    return [value for value in right.tolist() if value >= 0]


def _fitted(features: Tensor, edited: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights `[D]` and the bias of a penalised logistic regression."""
    features, wanted = features.double(), edited.double()
    weights = torch.zeros(features.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(features @ weights + bias, wanted, reduction="sum")
        loss = loss + PENALTY * weights.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach().float(), bias.detach().float()


def _first_of_image(pairs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one pair of each image, so that there are as many unedited pictures as edited ones."""
    firsts: dict[int, dict[str, Any]] = {}
    for pair in pairs:
        firsts.setdefault(pair["seed"], pair)
    return list(firsts.values())


def _questions(pairs: Sequence[dict[str, Any]], seed: int, group: int) -> list[dict[str, Any]]:
    """Return ten questions of each study, in an order of the group's own.

    `right` is the position of the edited picture, 1 or 2.
    """
    random = np.random.default_rng([seed, group])
    indices = list(range(len(pairs)))
    fidelity, labelled = indices[0::2], [place for place in indices[1::2] if pairs[place]["label"] is not None]
    kinds = {"fidelity": fidelity[:QUESTIONS], "consistency": labelled[:QUESTIONS]}
    return [
        {"id": f"{kind}-{place}", "study": kind, "pair": place, "right": int(random.integers(2)) + 1}
        for kind, chosen in kinds.items()
        for place in random.permutation(chosen).tolist()
    ]


def rows(data: Data) -> list[dict[str, Any]]:
    """Return a row for each question of each group."""
    return [
        {
            "group": group["group"],
            "question": question["id"],
            "study": question["study"],
            "edited_picture": question["right"],
            **{
                key: data["pairs"][question["pair"]][key] for key in ("target", "attribute", "seed", "label", "flipped")
            },
        }
        for group in data["groups"]
        for question in group["questions"]
    ]


def files(data: Data, folder: Folder) -> None:
    """Write a page for each group: one file, offline, that exports answers and does not hold the right ones."""
    for group in data["groups"]:
        questions = [
            {
                "id": question["id"],
                "study": question["study"],
                "pictures": [_inlined(folder, file) for file in _ordered(data, question)],
                "label": data["pairs"][question["pair"]]["label"],
            }
            for question in group["questions"]
        ]
        about = {"format": ANSWERS, "study": data["study"], "group": group["group"]}
        write_user_study(folder.path / f"group-{group['group']}.html", questions, about)


def _ordered(data: Data, question: dict[str, Any]) -> list[str]:
    unedited, edited = data["pairs"][question["pair"]]["files"]
    return [edited, unedited] if question["right"] == 1 else [unedited, edited]


def _inlined(folder: Folder, file: str) -> str:
    """Return a picture as a data URI, without its name, which would give the answer away."""
    picture = Image.fromarray(folder.load(file))
    picture.thumbnail((SIDE, SIDE))
    return "data:image/png;base64," + base64.b64encode(png_bytes(np.asarray(picture))).decode()


def draw(data: Data, folder: Folder) -> Iterator[tuple[str, Figure]]:
    """Draw Fig. 5, sample questions, and beside them what machines say."""
    shown = [q for q in data["groups"][0]["questions"] if q["study"] == "fidelity"][: SHOWN // 2]
    shown += [q for q in data["groups"][0]["questions"] if q["study"] == "consistency"][: SHOWN // 2]
    height = -(-len(shown) // 2)
    drawn = figure(1.9 * height + 1.2)
    grid = drawn.add_gridspec(height + 1, 2, height_ratios=[2.0] * height + [1.0])
    for place, question in enumerate(shown):
        axes = drawn.add_subplot(grid[place % height, place // height])
        show_tiles(axes, [[folder.load(file) for file in _ordered(data, question)]])
        asked = "Which picture is the edited one?"
        if question["study"] == "consistency":
            asked = f"Do both show “{data['pairs'][question['pair']]['label']}”?"
        axes.set_title(asked)
    axes = drawn.add_subplot(grid[height, :])
    values = [data["proxy"]["accuracy"], data["label_agreement"]]
    means, ends = error_bars(values)
    bars = axes.barh([0, 1], means, 0.6, color=[STYLES[0].color, STYLES[3].color], edgecolor=INK, linewidth=0.4)
    bars[1].set_hatch(STYLES[3].hatch)
    axes.errorbar(means, [0, 1], xerr=ends, fmt="none", ecolor=INK, elinewidth=0.9, capsize=2)
    axes.axvline(0.5, color=MUTED, linestyle="--", linewidth=0.8)
    axes.set_yticks([0, 1], ["told apart", "label kept"])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.02)
    axes.set_title("Machines: pictures that a discriminator tells apart (best 0.5), edits that keep the label")
    yield "samples", drawn


def tell(data: Data) -> str:
    """Say how to ask people, and what machines say instead."""
    counts = {
        kind: sum(question["study"] == kind for question in data["groups"][0]["questions"])
        for kind in ("fidelity", "consistency")
    }
    proxy = data["proxy"]
    low, high = proxy["accuracy"][1:] if proxy["accuracy"] else (0.0, 1.0)
    chance = "which so few pictures cannot tell from chance"
    verdict = chance if low <= 0.5 <= high else "better than by chance" if low > 0.5 else "worse than by chance"
    return (
        "How to read it: group-1.html and group-2.html are pages for people, one for each group; they need no network"
        " and end with a file of answers, which `zoom-engine experiment user-study --score FILE … --out FOLDER` turns"
        f" into Table 1 with Wilson's intervals. Each asks {counts['fidelity']} questions on fidelity (which is edited:"
        f" best 50 %) and {counts['consistency']} on consistency (do both show the same class: best 100 %), in an order"
        f" of its own; {data['flips']} of the {len(data['pairs'])} pairs are counterfactuals that flip their target,"
        " the rest are the edits that move it most. Until people have answered, machines stand in for them.\n\n"
        f"What came out: a discriminator (logistic regression on the text encoder's features, cross-validated by image)"
        f" tells edited from unedited pictures in {percent(proxy['accuracy'])} of {proxy['pictures']} pictures,"
        f" {verdict}; people reached 51 to 72 % in the paper. The text encoder's label is kept in"
        f" {percent(data['label_agreement'])} of all edits of the audits (people agreed in 88 to 94 %); an audit"
        " reports a point that keeps it where there is one, so this says little. No person has been asked for this."
    )


EXPERIMENT = Experiment(run, rows, draw, tell, files)
