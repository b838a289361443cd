"""Audits of attributes that no words say: by examples, by scorers, along ready directions, with and without a text
encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from examples import saved
from PIL import Image
from safetensors.torch import save_file

from zoom_engine import Attribute, Diagnoser, Diagnosers, Diagnosis
from zoom_engine.audit.folder import RECORDS
from zoom_engine.cli import main
from zoom_engine.commands.explore.sources import load_explored
from zoom_engine.common.errors import AuditError, ConfigError, DirectionError, TargetError
from zoom_engine.diagnose.models import Models
from zoom_engine.directions import EditDirections
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.text import AttributeEncoder

EXAMPLES, DRAWN = 20, 400
COMMON: dict[str, Any] = {"generator": "avatars", "target": "avatars:mustache-biased-smiling"}
FEW: dict[str, Any] = {"random_directions": 2, "samples": 256}


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Renders with and without eyeglasses, and renders drawn at random."""
    parameters = DOMAIN.subject.parameters(DRAWN, 77)
    glasses = DOMAIN.subject.truth.labels(parameters)["eyeglasses"]
    root = tmp_path_factory.mktemp("examples")
    return {
        "with": saved(root / "with", parameters[glasses][:EXAMPLES]),
        "without": saved(root / "without", parameters[~glasses][:EXAMPLES]),
        "other": saved(root / "other", parameters[glasses][EXAMPLES : 2 * EXAMPLES]),
        "random": saved(root / "random", parameters[:EXAMPLES]),
        "random too": saved(root / "random-too", parameters[EXAMPLES : 2 * EXAMPLES]),
    }


def models_of(*attributes: str, **options: Any) -> Models:
    return Diagnoser(**COMMON, attributes=attributes, **options).models


def moved_by(diagnoser: Diagnoser, target: str, weight: float = 12.0) -> torch.Tensor:
    """How far edits along each direction move the mean outputs of a domain's target, `[N, K]`."""
    directions, models = diagnoser.edit_directions(), diagnoser.models
    codes = models.styles(range(24))[:]
    judge = DOMAIN.target(target)
    moved = []
    with torch.no_grad():
        for row in directions.matrix:
            more, less = (
                judge(models.synthesizer.render(codes, torch.full((len(codes), 1), way), row[None]))
                for way in (weight, -weight)
            )
            moved.append((more - less).mean(dim=0))
    return torch.stack(moved)


@pytest.mark.slow(20)
@pytest.mark.ci
def test_examples_and_a_scorer_find_the_directions_that_change_what_they_show(folders: dict[str, Path]) -> None:
    diagnoser = Diagnoser(
        **COMMON,
        **FEW,
        attributes=[
            f"glasses=examples:{folders['with']},without:{folders['without']}",
            "beard=scorer:avatars:attributes#beard",
        ],
    )
    names = list(DOMAIN.target("attributes").classes)
    moved = moved_by(diagnoser, "attributes")
    assert names[int(moved[1].abs().argmax())] == "beard"
    assert float(moved[1, names.index("beard")]) > 1
    glasses = moved_by(diagnoser, "eyeglasses")[:, 0]
    assert float(glasses[0]) > 1
    assert float(glasses[0]) > 3 * abs(float(glasses[1]))


@pytest.mark.ci
@pytest.mark.slow(30)
def test_a_mixed_audit_measures_all_of_it_and_goes_on_with_the_same_pictures_alone(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    def diagnoser(with_it: str) -> Diagnoser:
        attributes = [
            "a smiling face",
            f"glasses=examples:{folders[with_it]},without:{folders['without']}",
            "beard=scorer:avatars:attributes#beard",
        ]
        return Diagnoser(**COMMON, **FEW, attributes=attributes, by=["glasses"], keep=["beard"])

    audit = diagnoser("with").run(images=2, out=tmp_path)
    assert [attribute.text for attribute in audit.attributes] == ["a smiling face", "glasses", "beard"]
    assert {name: kind for name, (kind, _) in audit.config.given_by.items()} == {
        "glasses": "examples",
        "beard": "scorers",
    }
    of_attributes = [record for record in audit.records if record.attribute is not None]
    assert len(of_attributes) == 6
    for record in of_attributes:
        assert record.scores is not None
        assert len(record.scores) == 3 + len(audit.config.labels or ())
        assert record.groups is not None
    page = (tmp_path / "report.html").read_text()
    assert "described by words, examples and models that score pictures, under names such as" in page
    assert "text score" not in page
    assert "What no words say" in page
    with pytest.raises(AuditError, match="which the folder does not hold: give all of them by --attribute"):
        load_explored([tmp_path], {})
    lines = (tmp_path / RECORDS).read_bytes()
    diagnoser("with").run(images=2, out=tmp_path)
    with pytest.raises(AuditError, match="begun with other examples of “glasses”") as refusal:
        diagnoser("other").run(images=2, out=tmp_path)
    assert "\n" not in str(refusal.value)
    assert (tmp_path / RECORDS).read_bytes() == lines
    assert Diagnosis.load(tmp_path).config.given_by == audit.config.given_by


def brightness(pixels: Any) -> Any:
    return pixels.reshape(len(pixels), -1).mean(axis=1)


@pytest.mark.slow(15)
@pytest.mark.ci
def test_pictures_and_scorers_may_be_objects_and_mean_what_their_files_do(folders: dict[str, Path]) -> None:
    having, without = ([Image.open(path) for path in sorted(folders[name].iterdir())] for name in ("with", "without"))
    attributes = [
        Attribute.by_examples("glasses", having, without=[np.asarray(picture) for picture in without]),
        Attribute.by_scorer("beard", DOMAIN.target("attributes"), output="beard"),
        Attribute.by_scorer("brightness", brightness),
    ]
    diagnoser = Diagnoser(**COMMON, **FEW, attributes=attributes, keep=attributes[1:2])
    files = models_of(f"glasses=examples:{folders['with']},without:{folders['without']}").text_encoder
    encoder = diagnoser.models.text_encoder
    assert isinstance(encoder, AttributeEncoder)
    assert isinstance(files, AttributeEncoder)
    assert encoder.sources()["examples"] == files.sources()["examples"], "it is the pictures that count"
    assert list(encoder.sources()["scorers"]) == ["beard", "brightness"]
    with torch.no_grad():
        pictures = diagnoser.models.generator.render(diagnoser.models.styles(range(4))[:])
        scores = encoder.embed_images(pictures)[:, -1]
    shown = pictures.add(1).mul(127.5).round().clamp(0, 255).mean(dim=(1, 2, 3))
    assert scores == pytest.approx(shown.numpy(), abs=0.1), "the number is the score, and no log-odds of it"
    audit = diagnoser.run(images=1)
    assert [attribute.text for attribute in audit.attributes] == ["glasses", "beard", "brightness"]


def test_objects_that_are_no_pictures_and_no_scorers_are_refused_in_one_line(folders: dict[str, Path]) -> None:
    grey = [np.full((32, 32), value, np.uint8) for value in range(9)]
    refused: list[tuple[type[Exception], str, Any]] = [
        (ConfigError, "the list of examples holds 1 picture .*picture 1 is the same", ("x", grey[:1] * 9)),
        (ConfigError, "picture 0 must be uint8 .* not float64", ("x", [picture / 255 for picture in grey])),
        (ConfigError, "picture 0 has 3 × 2 pixels", ("x", [picture[:2, :3] for picture in grey])),
        (ConfigError, "there are 0 pictures", ("x", [])),
        (ConfigError, "a folder or a list of pictures, not a int", ("x", 5)),
        (ConfigError, "no folder of examples", ("x", folders["with"] / "none")),
        (ConfigError, "name of an attribute is empty", (" ", grey)),
    ]
    for kind, told, (name, pictures) in refused:
        with pytest.raises(kind, match=told) as refusal:
            Diagnoser(**COMMON, attributes=[Attribute.by_examples(name, pictures)])
        assert "\n" not in str(refusal.value)
    with pytest.raises(TargetError, match="a int is no target"):
        Diagnoser(**COMMON, attributes=[Attribute.by_scorer("x", 5)])


@pytest.mark.slow(10)
@pytest.mark.ci
@pytest.mark.parametrize(
    "options",
    [
        {"mode": "multi"},
        {"mode": "multi", "search": "cmaes", "search_options": {"steps": 2}},
        {"search": "pgd", "search_options": {"steps": 3}, "random_directions": 2},
        {"directions": "gradient", "samples": 8, "random_directions": 2},
        {"target": ["avatars:mustache", "avatars:age"], "random_directions": 2},
        {"photos": "other", "random_directions": 2},
    ],
    ids=["multi", "cmaes", "pgd", "gradient", "several targets", "photographs"],
)
def test_examples_and_scorers_go_with_every_kind_of_audit(folders: dict[str, Path], options: dict[str, Any]) -> None:
    attributes = [
        f"glasses=examples:{folders['with']},without:{folders['without']}",
        "beard=scorer:avatars:attributes#beard",
    ]
    if "photos" in options:
        some, (first, *_) = folders["other"].parent / "a photograph", sorted(folders["other"].iterdir())
        some.mkdir(exist_ok=True)
        (some / first.name).write_bytes(first.read_bytes())
        options = {**options, "photos": some}
    given = {**COMMON, "samples": 256, **options, "attributes": attributes}
    kind = Diagnosers if isinstance(given["target"], list) else Diagnoser
    told = kind(**given).run() if "photos" in options else kind(**given).run(images=1)
    for audit in told.values() if isinstance(told, dict) else [told]:
        assert [attribute.text for attribute in audit.attributes] == ["glasses", "beard"]
        for record in audit.records:
            assert any(record.edit_weights) or record.steps == 0
        assert {record.attribute for record in audit.records} == (
            {None} if options.get("mode") == "multi" else {"glasses", "beard"}
        )


@pytest.mark.slow(10)
@pytest.mark.ci
def test_what_an_audit_of_examples_and_scorers_takes_is_planned(
    folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    glasses = f"glasses=examples:{folders['with']},without:{folders['without']}"
    words = ["plan", "--generator", "avatars", "--target", "avatars:mustache", "--images", "2", "--quiet"]
    assert main([*words, "--attribute", glasses, "--attribute", "beard=scorer:avatars:attributes#beard"]) == 0
    assert "2 images, 2 attributes" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow(20)
@pytest.mark.ci
def test_no_text_encoder_is_loaded_where_there_are_no_words(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a text encoder was asked for")

    monkeypatch.setattr("zoom_engine.diagnose.models.text_encoder_for", refuse)
    attribute = f"glasses=examples:{folders['with']},without:{folders['without']}"
    diagnoser = Diagnoser(**COMMON, **FEW, attributes=[attribute], text_encoder="none")
    assert diagnoser.models.labels == ()
    assert float(moved_by(diagnoser, "eyeglasses")[0, 0]) > 1
    audit = diagnoser.run(images=2, out=tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text())["config"]["text_encoder"]["name"] == "none"
    assert "Label check off" in (tmp_path / "report.html").read_text()
    assert all(record.label_kept is None for record in audit.records)


@pytest.mark.slow(15)
@pytest.mark.parametrize("options", [{}, {"text_encoder": "none", "labels": []}], ids=["encoder", "none"])
def test_pictures_drawn_at_random_are_refused_as_examples(folders: dict[str, Path], options: dict[str, Any]) -> None:
    chance = f"x=examples:{folders['random']},without:{folders['random too']}"
    with pytest.raises(DirectionError, match="examples of 'x' have nothing in common") as refusal:
        Diagnoser(**COMMON, **FEW, attributes=[chance], **options).edit_directions()
    assert "\n" not in str(refusal.value)


def test_the_identity_is_that_of_the_pictures_and_not_of_their_names(folders: dict[str, Path], tmp_path: Path) -> None:
    def sources(folder: Path) -> dict[str, dict[str, str]]:
        encoder = models_of(f"glasses=examples:{folder},without:{folders['without']}").text_encoder
        assert isinstance(encoder, AttributeEncoder)
        return encoder.sources()

    moved = tmp_path / "moved"
    moved.mkdir()
    for number, path in enumerate(sorted(folders["with"].iterdir(), reverse=True)):
        (moved / f"renamed-{number}.png").write_bytes(path.read_bytes())
    first = sources(folders["with"])
    assert sources(moved) == first
    (moved / "renamed-0.png").unlink()
    assert sources(moved) != first


def test_models_are_shared_by_attributes_of_the_same_sources_alone(tmp_path: Path) -> None:
    """Another's encoder did not know a scorer: its name was read as words, and no manifest told of it."""
    words, scored = "a smiling face", "mustache=scorer:avatars:mustache"
    loaded = {name: Diagnoser(**COMMON, attributes=[name]) for name in (words, scored)}
    again = Diagnoser(**COMMON, attributes=[scored], like=loaded[scored])
    assert again.models.text_encoder is loaded[scored].models.text_encoder
    for name, like in ((scored, words), (words, scored), ("mustache=scorer:avatars:age", scored)):
        with pytest.raises(ConfigError, match="like has other examples, scorers or edits in place of words"):
            Diagnoser(**COMMON, attributes=[name], like=loaded[like])
    files = [tmp_path / f"{number}.safetensors" for number in range(2)]
    for file, rows in zip(files, torch.eye(4, 256).chunk(2), strict=True):
        save_file({"latents": rows.contiguous()}, file, metadata={"names": json.dumps(["x", "y"])})
    ready = Diagnoser(**COMMON, directions=files[0])
    assert Diagnoser(**COMMON, directions=files[0], like=ready).models.text_encoder is ready.models.text_encoder
    with pytest.raises(ConfigError, match="like has other examples, scorers or edits"):
        Diagnoser(**COMMON, directions=files[1], like=ready)


@pytest.mark.parametrize(("encoder", "notes"), [("none", 1), (None, 0)])
def test_a_neutral_prompt_that_nothing_reads_is_told_of(encoder: str | None, notes: int) -> None:
    told = models_of("mustache=scorer:avatars:mustache", text_encoder=encoder, neutral="a person").notices.lines
    assert len([line for line in told if "no text encoder reads the neutral prompt" in line]) == notes


def test_what_cannot_be_is_refused_in_one_line_before_anything_is_drawn(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    few = saved(tmp_path / "few", DOMAIN.subject.parameters(3, 78))
    with_it, file = folders["with"], tmp_path / "two.safetensors"
    save_file({"latents": torch.eye(2, 8)}, file, metadata={"names": json.dumps(["x", "y"])})
    refused: list[tuple[type[Exception], str, list[str], dict[str, Any]]] = [
        (ConfigError, "no folder of examples", [f"x=examples:{tmp_path / 'nothing'}"], {}),
        (ConfigError, "holds 3 pictures.*8 are the fewest", [f"x=examples:{few}"], {}),
        (ConfigError, "shows the same as", [f"x=examples:{with_it},without:{with_it}"], {}),
        (TargetError, "no such file", [f"x=scorer:{tmp_path / 'nothing.onnx'}"], {}),
        (TargetError, "say which is the score", ["x=scorer:avatars:attributes"], {}),
        (ConfigError, "paraphrases are of words", [f"x=examples:{with_it}"], {"paraphrases": 2}),
        (ConfigError, "give its file with --directions", ["x=edits"], {}),
        (ConfigError, "'y' is none of this audit's", ["x=edits"], {"directions": file, "by": ["y=edits"]}),
        (ConfigError, "'a smiling face' is given by words", ["a smiling face"], {"text_encoder": "none"}),
        (
            ConfigError,
            "templates are sentences for attributes that are words",
            ["x=scorer:avatars:mustache"],
            {"text_encoder": "none", "templates": "none"},
        ),
        (DirectionError, "the number of a scorer has none", ["x=scorer:avatars:age-years"], {"directions": "sampled"}),
    ]
    for kind, told, attributes, options in refused:
        with pytest.raises(kind, match=told) as refusal:
            Diagnoser(**COMMON, attributes=attributes, **options).edit_directions()
        assert "\n" not in str(refusal.value)


@pytest.mark.slow(20)
@pytest.mark.ci
def test_directions_of_a_file_are_audited_from_the_command_line_with_names_that_are_no_words(tmp_path: Path) -> None:
    generator = DOMAIN.generator()
    latents, _ = generator.draw(1000, torch.Generator().manual_seed(0))
    rows = torch.linalg.svd(latents - latents.mean(dim=0), full_matrices=False)[2][:2].contiguous()
    file = tmp_path / "pca.safetensors"
    save_file({"latents": rows}, file, metadata={"names": json.dumps(["component 1", "component 2"])})
    command = (
        f"diagnose --generator avatars --target avatars:mustache --images 2 --random-directions 2 --directions {file}"
    )
    assert main([*command.split(), "--out", str(tmp_path / "audit"), "--quiet"]) == 0
    audit = Diagnosis.load(tmp_path / "audit")
    assert [attribute.text for attribute in audit.attributes] == ["component 1", "component 2"]
    assert audit.config.method == "given"
    assert audit.config.own_directions.keys() == {"component 1", "component 2"}
    for low, high in audit.config.ranges:
        assert -30 <= low < 0 < high <= 30
    assert "given to the audit" in (tmp_path / "audit" / "report.html").read_text()
    one = f"{command} --attribute component?2=edits".replace("?", " ")
    words = [*one.split(" --attribute ")[0].split(), "--attribute", "component 2=scorer:avatars:age-years"]
    assert main([*words, "--out", str(tmp_path / "scored"), "--quiet"]) == 0
    assert [a.text for a in Diagnosis.load(tmp_path / "scored").attributes] == ["component 2"]


@pytest.mark.slow(10)
def test_own_edits_of_which_pictures_show_nothing_are_held_to_the_level_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "random.safetensors"
    rows = torch.randn(1, DOMAIN.generator().space.size, generator=torch.Generator().manual_seed(0))
    save_file({"directions": rows}, file, metadata={"names": json.dumps(["a smiling face"])})
    with pytest.raises(DirectionError, match=r"edits along 'a smiling face' change nothing .*level 0\.01"):
        Diagnoser(**COMMON, directions=file).edit_directions()
    assert Diagnoser(**COMMON, directions=file, level=1.0).edit_directions().attributes == ("a smiling face",)
    with pytest.raises(DirectionError, match="do not say with which level"):
        Diagnoser(**COMMON, directions=file, attributes=["a smiling face"], level=1.0)


def test_found_directions_of_a_file_are_those_of_its_names(tmp_path: Path) -> None:
    directions = Diagnoser(**COMMON, **FEW, attributes=["a smiling face", "a face with bangs"]).edit_directions()
    directions.save(tmp_path / "found")
    again = Diagnoser(**COMMON, directions=str(tmp_path / "found"), random_directions=2, samples=256)
    read = again.edit_directions()
    assert isinstance(read, EditDirections)
    assert torch.equal(read.matrix, directions.matrix)
    one = Diagnoser(**COMMON, directions=tmp_path / "found", attributes=["a face with bangs"]).edit_directions()
    assert torch.equal(one.matrix, directions.matrix[1:])
