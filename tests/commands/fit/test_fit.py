"""The embedded generators are fit for their own renders, which they never drew, for nothing else; the page says why."""

from __future__ import annotations

import html
import json
import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from examples import examples_of_glasses
from html_page import Page
from PIL import Image

from zoom_engine import Diagnosis, fitness
from zoom_engine.cli import main
from zoom_engine.commands.fit.fitness import Fitness
from zoom_engine.commands.fit.measuring import _invert, examine
from zoom_engine.commands.fit.verdicts import judge_inversion
from zoom_engine.common.errors import ConfigError, PhotographError
from zoom_engine.domains import avatars, pets
from zoom_engine.photographs import FFHQ, Crop
from zoom_engine.photographs.crops import read_crops
from zoom_engine.settings.fit_settings import FitSettings

ATTRIBUTES = {
    "avatars": ["a smiling face", "a face with eyeglasses"],
    "pets": ["a pet with a collar", "a sleepy pet"],
}
TARGETS = {"avatars": "avatars:eyeglasses-biased-smiling", "pets": "pets:dog"}
RENDERS = {"avatars": avatars, "pets": pets}
FEW: dict[str, Any] = {"generated": 64, "inverted": 0, "pilot": 0}


def renders(folder: Path, domain: str, count: int, seed: int = 9) -> Path:
    """Renders of a domain, by its renderer: the generator draws none of them."""
    folder.mkdir()
    for number, pixels in enumerate(RENDERS[domain].sample(count, seed)[0]):
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    return folder


def photographs(folder: Path, count: int, seed: int = 0) -> Path:
    """Squares cut out of what cameras took: the pictures that scikit-learn and matplotlib bring."""
    from matplotlib import cbook
    from sklearn.datasets import load_sample_images

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        hopper = Image.open(file).convert("RGB")
    pictures = [*map(Image.fromarray, load_sample_images().images), hopper]
    random = np.random.default_rng(seed)
    folder.mkdir()
    for number in range(count):
        picture = pictures[number % len(pictures)]
        side = int(random.integers(128, min(picture.size)))
        left, top = (int(random.integers(0, length - side + 1)) for length in picture.size)
        picture.crop((left, top, left + side, top + side)).save(folder / f"{number:03}.png")
    return folder


FOLDERS: dict[str, Callable[[Path, int], Path]] = {
    "avatars": lambda folder, count: renders(folder, "avatars", count),
    "pets": lambda folder, count: renders(folder, "pets", count),
    "a camera": photographs,
}


def asked(folder: Path, domain: str, **options: Any) -> Fitness:
    given = {"generator": domain, "target": TARGETS[domain], "attributes": ATTRIBUTES[domain], **FEW, **options}
    return fitness(folder, **given)


@pytest.mark.ci
@pytest.mark.slow(10)
@pytest.mark.parametrize("pictures", list(FOLDERS))
def test_the_avatars_are_fit_for_their_renders_and_for_nothing_else(pictures: str, tmp_path: Path) -> None:
    result = asked(FOLDERS[pictures](tmp_path / "photographs", 40), "avatars")
    assert result.verdict == ("fit" if pictures == "avatars" else "not fit"), result.table()
    verdicts = {one.attribute.text: one.judgement.verdict for one in result.attributes}
    assert set(verdicts.values()) == ({"fit"} if pictures == "avatars" else {"not fit"}), result.table()
    assert result.exit_code == (0 if pictures == "avatars" else 1)
    assert result.overall == result.verdict


@pytest.mark.ci
@pytest.mark.slow(60)
@pytest.mark.parametrize("pictures", ["pets", "avatars"])
def test_the_pets_are_fit_for_their_own_renders_and_not_for_faces(pictures: str, tmp_path: Path) -> None:
    of_pets = pictures == "pets"
    folder = FOLDERS[pictures](tmp_path / "photographs", 80)
    result = asked(folder, "pets", generated=128, inverted=2, pilot=4 if of_pets else 0)
    assert (result.verdict == "fit") is of_pets, result.table()
    assert result.inverted.fraction is not None
    if of_pets:
        assert result.inverted.fraction >= 0.5
        assert all(one.power for one in result.attributes)
    else:
        assert result.verdict == "not fit"
        assert result.inverted.fraction <= 0.5, "a plain square of a photograph may be drawn again"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Fitness]:
    """A fit with a small audit, of two attributes and one that says nothing, and the folder that it wrote."""
    folder = tmp_path_factory.mktemp("fit")
    renders(folder / "photographs", "avatars", 40)
    (folder / "photographs" / "<b>notes.txt").write_text("taken on Sunday")
    result = asked(
        folder / "photographs",
        "avatars",
        attributes=[*ATTRIBUTES["avatars"], "a good photo of this"],
        pilot=4,
        random_directions=2,
        out=folder / "out",
    )
    return folder / "out", result


def test_an_attribute_that_says_nothing_is_refused_and_the_others_are_audited(written: tuple[Path, Fitness]) -> None:
    _, result = written
    smiling, glasses, number = result.attributes
    assert number.judgement.verdict == "not fit"
    refusal = "an audit refuses it: the pictures answer 'a good photo of this'"
    assert number.judgement.reasons[0].startswith(refusal)
    assert number.power == ()
    assert result.pilot is not None
    assert result.pilot.images == 4
    for one in (smiling, glasses):
        few, many = one.power
        assert few.sensitive["0.2"] <= many.sensitive["0.2"] + 0.05
        assert set(many.sensitive) == {"0.1", "0.2", "0.4"}
        assert 0.02 < one.read.has[0] < 0.9
        assert one.read.generated > one.read.floor[0]
    decisions = {one.name: one for one in result.answers.decisions}
    assert sum(one.photographs for one in decisions.values()) == pytest.approx(1)
    assert sum(one.generated for one in decisions.values()) == pytest.approx(1)


def test_the_file_and_the_page_hold_the_same(written: tuple[Path, Fitness]) -> None:
    out, result = written
    stored = json.loads((out / "fit.json").read_text())
    assert stored["verdict"] == result.overall
    assert [one["verdict"] for one in stored["attributes"]] == [one.judgement.verdict for one in result.attributes]
    assert stored["coverage"]["relative"]["value"] == pytest.approx(result.coverage.relative.value, abs=1e-6)
    assert stored["unread"] == {"<b>notes.txt": "is no JPEG, PNG or WebP picture"}
    assert stored["pilot"]["power"]["200"]["sensitive"]["0.2"] == result.pilot.audit[1].sensitive["0.2"]
    read = Page(out / "fit.html")
    assert not read.open
    page = read.html
    assert result.headline in read.text
    for one in result.attributes:
        assert one.attribute.name in read.text
    for value in stored["thresholds"].values():
        assert f"{value:g}" in read.text
    assert [one["src"].partition(",")[0] for one in read.all("img")] == ["data:image/webp;base64"] * 16
    assert all(one["alt"] for one in read.all("img"))
    assert "zoom-engine diagnose --generator avatars" in page
    assert "good photo of this" not in page[page.index('class="command"') : page.index("</pre>")]


@pytest.mark.ci
@pytest.mark.slow(20)
def test_each_way_of_an_attribute_is_judged_and_the_next_command_runs_as_printed(tmp_path: Path) -> None:
    given = ["a smiling face", f"glasses={examples_of_glasses(tmp_path)}", "beard=scorer:avatars:attributes#beard"]
    options: dict[str, Any] = {"neutral": "a face", "labels": ["a face with eyeglasses", "a face"], "seed": 3}
    options |= {"smallest_effect": 0.07, "random_directions": 2, "samples": 256, "attributes": given}
    out, folder = tmp_path / "out", renders(tmp_path / "photographs", "avatars", 40)
    result = asked(folder, "avatars", target="avatars:eyeglasses", pilot=4, out=out, **options)
    words, examples, scorer = result.attributes
    assert [one.judgement.verdict for one in result.attributes] == ["fit"] * 3, result.table()
    assert words.read.photographs is not None
    assert words.read.photographs > words.read.floor[1]
    for one in (examples, scorer):
        assert one.read.photographs is None
        assert one.read.generated is not None
        assert one.read.generated > one.read.floor[0]
        assert 0.02 < one.read.has[0] < 0.9
        assert one.power[-1].sensitive["0.28"] > 0.5
    page = Page(out / "fit.html").html
    command = html.unescape(page[page.index('class="command"') :].partition(">")[2].partition("</pre>")[0])
    asked_for = shlex.split(command.replace("\\\n", ""))
    assert asked_for[:6] == ["zoom-engine", "diagnose", "--generator", "avatars", "--target", "avatars:eyeglasses"]
    assert main([*asked_for[1:-1], str(tmp_path / "audit"), "--images", "2", "--quiet"]) == 0
    config = Diagnosis.load(tmp_path / "audit").config
    assert [attribute.text for attribute in config.attributes] == ["a smiling face", "glasses", "beard"]
    assert (config.neutral, config.seed, config.smallest_effect) == ("a face", 3, 0.07)
    assert config.labels == ("a face with eyeglasses", "a face")
    assert config.random_directions == 2


@pytest.mark.slow(15)
@pytest.mark.ci
def test_without_a_text_encoder_pictures_are_compared_by_colours_and_edges(tmp_path: Path) -> None:
    folder = renders(tmp_path / "photographs", "avatars", 40)
    attributes = ["beard=scorer:avatars:attributes#beard", f"glasses={examples_of_glasses(tmp_path)}"]
    for few in (attributes[:1], attributes):
        result = asked(folder, "avatars", attributes=few, text_encoder="none", inverted=2, target="avatars:eyeglasses")
        assert result.verdict == "fit", result.table()
        assert result.read is None
        assert "there is none" in result.inverted.note
        assert "colours and edges by their place" in result.table()
    other = renders(tmp_path / "pets", "pets", 40)
    result = asked(other, "avatars", attributes=attributes[:1], text_encoder="none", target="avatars:eyeglasses")
    assert result.verdict == "not fit"


def test_the_first_photographs_are_of_all_kinds_whatever_they_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stand for all beside few codes, and where attributes are told on as many pictures of both kinds."""
    for name, domain in (("a", "avatars"), ("b", "pets")):
        for path in renders(tmp_path / domain, domain, 60).iterdir():
            path.rename(path.with_name(f"{name}-{path.name}"))
        shutil.copytree(tmp_path / domain, tmp_path / "photographs", dirs_exist_ok=True)
    crops = read_crops(tmp_path / "photographs", side=128, canonical=FFHQ)
    compared: list[str] = []

    def look_at(models: object, chosen: Sequence[Crop]) -> None:
        compared.extend(crop.file[0] for crop in chosen)
        raise InterruptedError

    monkeypatch.setattr("zoom_engine.commands.fit.measuring._look_at_photographs", look_at)
    for population, count in ((None, 120), (30, 60)):
        compared.clear()
        models: Any = SimpleNamespace(generator=SimpleNamespace(population=population))
        with pytest.raises(InterruptedError):
            examine(models, crops, FitSettings())
        assert len(compared) == count
        assert 18 <= compared[:60].count("a") <= 42


def test_a_generator_without_gradients_is_not_inverted_and_it_is_said() -> None:
    models: Any = SimpleNamespace(generator=SimpleNamespace(differentiable=False))
    result = _invert(models, [], FitSettings(inverted=4), None)
    assert result.tried == 0
    assert "has none (it is forward only)" in result.note
    assert judge_inversion(result).verdict == "fit"
    assert "as was asked" in _invert(models, [], FitSettings(inverted=0), None).note


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": ["a smiling face"]}, "fit takes no by of an audit"),
        ({"mode": "multi"}, "fit looks at each attribute alone"),
        ({"pilot": 2}, "pilot must be 0 or in 4"),
        ({"generated": 3}, "generated must be in 16"),
        ({"inverted": -1}, "inverted must be in 0"),
        ({"colour": 3}, "colour"),
    ],
)
def test_options_that_mean_nothing_here_are_refused_at_once(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says):
        asked(tmp_path, "avatars", **options)


def test_too_few_photographs_are_refused_in_a_line(tmp_path: Path) -> None:
    folder = renders(tmp_path / "photographs", "avatars", 6)
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    with pytest.raises(PhotographError, match=r"6 photographs can be read, and coverage takes 40 or more.*a\.png is"):
        asked(folder, "avatars")


def test_the_command_ends_with_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = renders(tmp_path / "photographs", "pets", 40)
    options = ["--generated", "32", "--inverted", "0", "--pilot", "0", "--quiet"]
    command = ["fit", "--generator", "avatars", "--target", "avatars:eyeglasses", "--photos", str(folder), *options]
    command += ["--attribute", "a smiling face"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().out
    assert "Not fit: it does not draw such pictures." in told
    assert "a smiling face" in told
    assert f"Open {tmp_path / 'out' / 'fit.html'}" in " ".join(told.split())
    assert main([*command, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "not fit"
    assert main([*command[:5], "--photos", str(tmp_path / "none"), *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1
