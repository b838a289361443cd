"""Embeddings of faces audited for "the same person": two networks that were trained here on renders, one of which was
taught that a person with eyeglasses is another one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoom_engine import Diagnoser, Diagnosers
from zoom_engine.cli import main
from zoom_engine.domains.avatars.subject import SUBJECT
from zoom_engine.domains.networks import to_float
from zoom_engine.domains.truth import untie
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import Preprocessing, Target, load_target

PEOPLE, STEPS, SIDE = 160, 120, 40
VARYING = ("smiling", "lipstick", "pale_skin")
"""What changes from picture to picture of one person."""
GLASSES = SUBJECT.prompt("eyeglasses")
FED = Preprocessing(size=SIDE, value_range=(-1.0, 1.0))


class Faces(nn.Module):
    """`[B, 3, 40, 40]` → unit vectors `[B, 32]`."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for narrow, wide in ((3, 16), (16, 24), (24, 32)):
            layers += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1), nn.GroupNorm(4, wide), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 25, 32))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.layers(x), dim=1)


def pictures() -> Tensor:
    """Four pictures of each person, `[PEOPLE, 2, 2, 3, S, S]`: with eyeglasses and without, each in two versions."""
    people = SUBJECT.parameters(PEOPLE, 71)
    drawn = []
    for glasses in (True, False):
        dressed = SUBJECT.truth.intervene(people, "eyeglasses", glasses)
        for version in (1, 2):
            images = SUBJECT.render(untie(SUBJECT.truth, dressed, VARYING, seed=10 * version + glasses))
            drawn.append(FED(to_float(torch.from_numpy(images))))
    return torch.stack(drawn, dim=1).unflatten(1, (2, 2))


def trained(faces: Tensor, *, glasses_are_another: bool) -> Target:
    """A network that brings pictures of the same together and others apart (Khosla et al. 2020)."""
    torch.manual_seed(0)
    network, random = Faces(), torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(STEPS):
        chosen = torch.randperm(PEOPLE, generator=random)[:24]
        whose = chosen[:, None].expand(-1, 4).flatten()
        if glasses_are_another:
            whose = 2 * whose + torch.tensor([0, 0, 1, 1]).repeat(len(chosen))
        vectors = network(faces[chosen].flatten(0, 2))
        alike = (vectors @ vectors.T / 0.1).fill_diagonal_(-torch.inf).log_softmax(1)
        same = (whose[:, None] == whose).fill_diagonal_(False)
        loss = -(alike.masked_fill(~same, 0).sum(1) / same.sum(1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return load_target(network, name="glasses" if glasses_are_another else "sound", preprocessing=FED)


@pytest.fixture(scope="module")
def targets() -> dict[str, Target]:
    faces = pictures()
    return {name: trained(faces, glasses_are_another=name == "glasses") for name in ("glasses", "sound")}


@pytest.fixture(scope="module")
def audits(targets: dict[str, Target], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("same-person")
    attributes = [SUBJECT.prompt(attribute) for attribute in ("smiling", "lipstick", "eyeglasses", "pale_skin")]
    Diagnosers(generator="avatars", target=targets, attributes=attributes, random_directions=16).run(
        images=12, seed=4, out=out
    )
    return out


@pytest.mark.ci
@pytest.mark.slow(20)
def test_the_planted_sensitivity_comes_first_and_is_called_and_that_of_the_sound_twin_is_not(audits: Path) -> None:
    planted, sound = (Diagnosis.load(audits / name).sensitivity for name in ("glasses", "sound"))
    assert planted[0].attribute.text == GLASSES
    assert planted[0].verdict == "sensitive"
    assert [row.verdict for row in planted[1:]].count("sensitive") == 0
    assert [row.verdict for row in sound].count("sensitive") == 0


@pytest.mark.ci
@pytest.mark.slow
def test_records_are_short_and_the_report_and_what_stands_beside_audits_say_it_in_plain_words(
    audits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    planted = Diagnosis.load(audits / "glasses")
    for record in planted.records:
        assert record.original_output == (1.0, 0.0)
        assert {len(point.output) for point in record.trajectory} == {2}
    flipped = [record for record in planted.of(planted.sensitivity[0].attribute) if record.flipped]
    assert flipped
    assert all(record.output[0] < 0.5 for record in flipped)
    page = (audits / "glasses" / "report.html").read_text()
    assert re.search(r"<h1[^>]*>(Sensitive to|Reacts to any change:) eyeglasses.*cosine similarity lost", page)
    assert "Measured: the cosine distance to the unedited picture’s vector" in page
    assert "“same” or “another”, and the cosine similarity" in page
    assert "decisive flip to another" in page
    assert "taken for an embedding" in page, "the task is guessed, and the report says so"
    assert "raises the cosine distance" not in page, "a distance grows whichever way an attribute goes"
    sound, glasses = (str(audits / name) for name in ("sound", "glasses"))
    assert main(["compare", sound, glasses]) == 0
    assert main(["gate", glasses, "--max-sensitivity", "0.3"]) == 1
    assert main(["gate", sound, "--baseline", glasses, "--max-growth", "0.5"]) == 0


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.parametrize("search", ["minimal", "sgd", "pgd", "cmaes"])
def test_all_attributes_together_lead_to_another_person(search: str, targets: dict[str, Target]) -> None:
    rate = 200.0 if search == "sgd" else 8.0  # a vector's slope at itself is 0 but for rounding
    steps = {"minimal": {}, "cmaes": {"steps": 8}}.get(search, {"steps": 8, "learning_rate": rate})
    diagnoser = Diagnoser(
        generator="avatars",
        target=targets["glasses"],
        attributes=[SUBJECT.prompt(attribute) for attribute in ("smiling", "eyeglasses")],
        mode="multi",
        search=search,
        search_options=steps,
        random_directions=0,
        labels=[],
    )
    records = diagnoser.run(images=2, seed=4).records
    assert max(record.change for record in records) > 0.1
    assert {len(record.output) for record in records} == {2}
