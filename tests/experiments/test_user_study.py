"""The pages of the user study: filled in by a browser, exported, scored; what is no answer is refused."""

from __future__ import annotations

import html
import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from browser import CHROMIUM

from zoom_engine.cli import main
from zoom_engine.common.errors import ConfigError
from zoom_engine.experiments import user_study
from zoom_engine.experiments.folder import DATA, Folder
from zoom_engine.experiments.scores import score_answers
from zoom_engine.experiments.study import Study, UnsuitedError
from zoom_engine.experiments.user_study import told_apart

PERSON = """<script>
addEventListener("load", () => {
  document.getElementById("begin").click();
  const heard = [];
  for (let i = 0; i < %d; i++) {
    heard.push(document.getElementById("question").textContent);
    if (i %% 2) dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
    else document.getElementById("answer1").click();
  }
  document.body.dataset.result = JSON.stringify([document.getElementById("text").value, heard]);
});
</script></body>"""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A finished study of ten pairs, without the audits that pairs come from."""
    folder = Folder(tmp_path / "avatars" / "user-study")
    pairs = []
    for place in range(10):
        noise = np.random.default_rng(place).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
        files = [folder.picture(f"{place} {i}", pixels) for i, pixels in enumerate(noise)]
        about = {"target": "dog", "attribute": "fluffy", "seed": place, "flipped": True, "worth": 2, "rank": 0}
        pairs.append({**about, "label": "a cat </script>", "files": files})
    groups = [{"group": group, "questions": user_study._questions(pairs, 0, group)} for group in (1, 2)]
    data = {
        "study": "0123456789abcdef",
        "pairs": pairs,
        "flips": 10,
        "groups": groups,
        "proxy": {"pictures": 20, "accuracy": [0.5, 0.3, 0.7], "pairs": 10},
        "label_agreement": [0.9, 0.8, 0.95],
    }
    folder.write(DATA, json.dumps({"subject": "avatars", "data": data}))
    user_study.files(data, folder)
    return tmp_path


def answered(out: Path, group: int, answers: dict[str, int], **more: Any) -> Path:
    content = {"format": user_study.ANSWERS, "study": "0123456789abcdef", "group": group, "answers": answers, **more}
    path = out / f"answers-{group}-{len(answers)}-{more.get('person', '')}.json"
    path.write_text(json.dumps(content))
    return path


def key(out: Path, group: int) -> dict[str, int]:
    document = json.loads((out / "avatars" / "user-study" / DATA).read_text())
    return {
        q["id"]: q["right"] for one in document["data"]["groups"] if one["group"] == group for q in one["questions"]
    }


def test_without_a_pair_there_is_nothing_to_ask(
    tmp_path: Path, models: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy was asked to stack no pictures; and of a target called "proxy" the answers of machines were read as its
    pairs, or the other way round."""
    monkeypatch.setattr(user_study, "_pairs", lambda *_: {"pairs": [], "label_kept": [0, 0]})
    for number, name in enumerate(("blue", "proxy")):
        folder, target = Folder(tmp_path / str(number)), models["targets"][0]
        target.name = name
        study = Study(out=tmp_path, **{**models, "targets": [target]})
        with pytest.raises(UnsuitedError, match="nothing to ask"):
            user_study.run(study, folder)
        assert folder.part("proxy", lambda: "not made") == "not made"


def test_groups_have_orders_of_their_own_and_the_page_does_not_tell(out: Path) -> None:
    one, two = key(out, 1), key(out, 2)
    assert set(one) == set(two)
    assert list(one) != list(two)
    page = (out / "avatars" / "user-study" / "group-1.html").read_text(encoding="utf-8")
    assert "right" not in json.loads(re.findall(r'id="data">(.*?)</script>', page)[0])["questions"][0]
    assert page.count("</script>") == 2, "a label cannot end the script"
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_a_browser_fills_it_in_and_the_answers_are_scored(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (out / "avatars" / "user-study" / "group-1.html").read_text(encoding="utf-8")
    questions = json.loads(re.findall(r'id="data">(.*?)</script>', page)[0])["questions"]
    (out / "filled.html").write_text(page.replace("</body>", PERSON % len(questions)), encoding="utf-8")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--virtual-time-budget=3000", "--dump-dom"]
    shown = subprocess.run(
        [*command, (out / "filled.html").as_uri()], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    result = re.findall(r'data-result="(.*?)"', shown)
    assert result, "the page did not come to its end"
    exported, heard = json.loads(html.unescape(result[0]))
    assert len(set(heard)) == 2, "one question of each study"
    file = out / "answers.json"
    file.write_text(exported)
    assert list(json.loads(exported)["answers"].values()) == [1, 2] * (len(questions) // 2)
    assert main(["experiment", "user-study", "--score", str(file), "--out", str(out)]) == 0
    table = capsys.readouterr().out
    assert "avatars      group 1" in table
    assert "1 person, 5 answers" in table


def test_shares_are_of_all_answers_of_a_group(out: Path) -> None:
    rights = key(out, 1)
    good = {name: (right if name.startswith("fidelity") else 1) for name, right in rights.items()}
    bad = {name: 3 - answer for name, answer in good.items()}
    files = [answered(out, 1, good, person="a"), answered(out, 1, good, person="b"), answered(out, 1, bad, person="c")]
    text = score_answers(out, files)
    rows = json.loads((out / "table-1.json").read_text())
    assert [row["share"] for row in rows] == [0.6667, 0.6667]
    assert all(row["people"] == 3 and row["answers"] == 15 for row in rows)
    assert all(row["share_low"] < 0.6667 < row["share_high"] for row in rows)
    assert "67 % [42, 85]" in text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "cannot read"),
        ("[]", "no answers"),
        ('{"format": "other"}', "no answers"),
        ({"study": "another"}, "answers no user study"),
        ({"answers": {"fidelity-99": 1}}, "no question"),
        ({"answers": {"fidelity-0": "1"}}, "no answers"),
        ({"group": 3}, "no answers"),
    ],
)
def test_what_is_no_answer_is_refused(content: Any, says: str, out: Path) -> None:
    file = out / "file.json"
    whole = {"format": user_study.ANSWERS, "study": "0123456789abcdef", "group": 1, "answers": {"fidelity-0": 1}}
    file.write_text(content if isinstance(content, str) else json.dumps({**whole, **content}))
    with pytest.raises(ConfigError, match=says):
        score_answers(out, [file])


def test_the_same_answers_count_once(out: Path) -> None:
    file = answered(out, 2, {"fidelity-0": 1})
    again = out / "copy.json"
    again.write_bytes(file.read_bytes())
    with pytest.raises(ConfigError, match="give each once"):
        score_answers(out, [file, again])


def test_a_person_who_saved_again_counts_once(out: Path) -> None:
    """Whoever went back to a question was two people with twice as many answers."""
    before = answered(out, 1, {"fidelity-0": 1}, person="a")
    after = answered(out, 1, {"fidelity-0": 2, "fidelity-2": 1}, person="a")
    with pytest.raises(ConfigError, match=r"of the same person as .*: give each once, in the file saved last"):
        score_answers(out, [before, after])
    assert "1 person, 2 answers" in score_answers(out, [after])
    assert "1 person, 1 answer)" in score_answers(out, [answered(out, 2, {"fidelity-0": 1}, person="a"), after])


def test_who_answered_nothing_is_no_person(out: Path) -> None:
    given = {"a": {"fidelity-0": 1}, "b": {}, "c": {"consistency-1": 1}}
    text = score_answers(out, [answered(out, 1, answers, person=name) for name, answers in given.items()])
    assert text.count("1 person, 1 answer)") == 2


def test_a_discriminator_finds_what_is_there_and_nothing_else() -> None:
    random = torch.Generator().manual_seed(0)
    images = np.repeat(np.arange(60), 2)
    edited = torch.tensor([False, True] * 60)
    noise = torch.randn(120, 16, generator=random)
    plain = noise + 4 * edited[:, None] * torch.eye(16)[0]
    assert np.mean(told_apart(plain, edited, images)) > 0.85
    assert 0.3 < np.mean(told_apart(noise, edited, images)) < 0.7


def test_pictures_are_read_where_the_text_encoder_is() -> None:
    """On a GPU the encoder was there, and the pictures were not."""
    seen, elsewhere = [], torch.device("meta")

    def embed_images(images: torch.Tensor) -> torch.Tensor:
        seen.append(images.device)
        return torch.randn(len(images), 4)

    editing = SimpleNamespace(
        text_encoder=SimpleNamespace(embed_images=embed_images), generator=SimpleNamespace(device=elsewhere)
    )
    folder = SimpleNamespace(load=lambda file: np.zeros((8, 8, 3), np.uint8))
    pairs = [{"seed": seed, "files": [f"{seed} before", f"{seed} after"]} for seed in range(6)]
    assert len(user_study._proxy(SimpleNamespace(editing=editing), folder, pairs)) == 12  # type: ignore[arg-type]
    assert seen == [elsewhere]
