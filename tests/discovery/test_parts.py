"""The parts of a discovery on made-up numbers: space, clusters, names, calls."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from rich.cells import cell_len
from torch import Tensor

from zoom_engine import load_generator, load_text_encoder
from zoom_engine.common.errors import AuditError, ConfigError
from zoom_engine.directions import Sampling
from zoom_engine.discovery.calls import beside_random, judge, strongest, told_apart
from zoom_engine.discovery.clusters import cluster
from zoom_engine.discovery.discoverer import GENERAL
from zoom_engine.discovery.findings import Cluster, Discovery
from zoom_engine.discovery.folder import begin_discovery, locked_discovery, write_discovery
from zoom_engine.discovery.naming import Proposal, Words, choose, distinct_words, moving_words, proposals
from zoom_engine.discovery.natural_space import END, NaturalSpace, natural_space
from zoom_engine.discovery.page import headline, write_discovery_page
from zoom_engine.discovery.trial import Trial
from zoom_engine.settings.attributes import parse_attributes
from zoom_engine.text.vocabulary import read_vocabulary, readable


@pytest.fixture(scope="module")
def space() -> NaturalSpace:
    return natural_space(load_generator("avatars"), Sampling(512))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_unedited_codes_have_unit_spread_and_edits_move_by_what_they_say(space: NaturalSpace) -> None:
    codes = load_generator("avatars").sample(range(256))
    coordinates = space.place(codes)
    assert coordinates.std(dim=0).mean() == pytest.approx(1, abs=0.1)
    moves = 0.5 * random(256, len(space.basis))
    torch.testing.assert_close(space.place(codes + moves @ space.basis) - coordinates, moves, atol=1e-3, rtol=1e-3)
    fixed = load_generator("avatars").space.fixed_mask()
    assert not space.basis[:, fixed].any()


def test_edits_stay_where_codes_lie(space: NaturalSpace) -> None:
    coordinates = random(64, len(space.basis))
    drawn = space.projected(coordinates, 20 * random(64, len(space.basis), seed=1))
    ends = (coordinates + drawn).norm(dim=1)
    assert bool((ends <= coordinates.norm(dim=1).clamp(min=space.radius) * 1.001).all())
    small = 0.01 * random(64, len(space.basis), seed=2)
    inside = (coordinates + small).norm(dim=1) < space.radius
    torch.testing.assert_close(space.projected(coordinates, small)[inside], small[inside])
    axis = F.normalize(random(1, len(space.basis), seed=3), dim=1)
    weights = space.to_ends(coordinates, axis)
    along = (coordinates @ axis.T)[:, :, None] + weights
    within = (coordinates @ axis.T).abs()[:, 0] < END
    torch.testing.assert_close(along[within, 0], torch.tensor([-END, END]).expand(int(within.sum()), 2))


def test_edits_and_their_opposites_are_one_cluster() -> None:
    axes = torch.linalg.qr(random(30, 2))[0].T
    groups = torch.tensor([0] * 14 + [1] * 7)
    signs = random(21, 1, seed=1).sign()
    moves = signs * (2 * axes[groups] + 0.15 * random(21, 30, seed=2))
    seen = torch.linalg.qr(random(40, 2, seed=3))[0].T
    moves = torch.cat([moves, torch.zeros(2, 30)])
    differences = torch.cat([signs * seen[groups], torch.ones(2, 40)])
    results, which = cluster(moves, differences, 5)
    assert len(results) == 2
    assert bool(((results @ axes.T).abs().diagonal() > 0.9).all())
    assert which.tolist() == [0] * 14 + [1] * 7 + [-1, -1]
    assert cluster(torch.zeros(4, 30), torch.zeros(4, 40), 3)[0].shape == (0, 30)


def test_words_are_measured_and_those_of_labels_or_alike_left_out() -> None:
    coordinates = random(400, 6)
    embeddings = coordinates @ torch.eye(6, 10)
    along = torch.eye(10)[[0, 1, 1, 2]]
    along[2, 3] = 0.1
    words = distinct_words(["a", "b", "b too", "label"], along, embeddings, coordinates, label_axes=torch.eye(6)[[2]])
    assert words.prompts == ("a", "b")
    torch.testing.assert_close(words.directions, torch.eye(6)[:2], atol=0.1, rtol=0)
    ends = torch.stack([torch.zeros(3, 1, 10), torch.eye(10)[1].expand(3, 1, 10)], dim=2)
    score = words.scores(ends)
    assert score[0, 1] == pytest.approx(1 / float(words.ranges[1]), rel=1e-3)
    assert [proposal.number for proposal in proposals(score, by_chance=torch.zeros(2, 2))[0]] == [1]
    assert proposals(score, by_chance=torch.full((2, 2), 5.0)) == [[]]


def test_words_whose_edits_move_the_output_are_chosen_but_not_those_that_show_a_stronger_one() -> None:
    words = Words(("a hat", "tall", "old", "a beard"), torch.eye(4), torch.ones(4), torch.eye(4))
    shown = torch.eye(6, 4)  # each direction's own word
    shown[1, 0] = -0.5  # taller people are without a hat
    shown[0, 1] = -0.5
    change = torch.tensor([0.4, 0.3, 0.2, 0.1, 0.05, 0.15])  # the last two by random directions

    def chosen(max_words: int, smallest: float, moved: Tensor = change) -> list[int]:
        both = torch.stack([torch.zeros(6), moved], dim=1).expand(3, 6, 2)
        embeddings = torch.stack([torch.zeros(6, 4), shown], dim=1).expand(3, 6, 2, 4)
        trial = Trial(torch.ones(3, 6, 2), both, torch.ones(3, 6, 2, dtype=torch.bool), embeddings)
        return moving_words(words, trial, max_words=max_words, smallest=smallest)

    assert chosen(6, 0.05) == [0, 2], "a beard moves it no further than random edits do"
    assert chosen(1, 0.05) == [0]
    assert chosen(6, 0.25) == [0]
    assert chosen(6, 0.05, torch.tensor([0.1, 0.3, 0.2, 0.16, 0.05, 0.15])) == [1, 2, 3]


def test_a_word_fits_where_its_own_edits_account_for_the_change() -> None:
    proposed = [Proposal(4, 1.5), Proposal(2, -0.9), Proposal(7, 0.5)]
    choice = choose(proposed, {4: 0.02, 2: 0.2, 7: 0.3}, 0.3)
    assert (choice.fits, choice.nearest, choice.second) == (proposed[1], proposed[1], proposed[0])
    none = choose(proposed, dict.fromkeys((4, 2, 7), 0.01), 0.3)
    assert (none.fits, none.nearest, none.second) == (None, proposed[0], proposed[1])
    assert choose([], {}, 0.3) == (None, None, None)


def test_calls() -> None:
    draw = np.random.default_rng(0)
    baseline = draw.uniform(0, 0.04, (20, 8))
    strong, weak = draw.uniform(0.2, 0.5, 20), draw.uniform(0, 0.04, 20)
    rare = np.where(np.arange(20) < 2, 0.9, 0.03)
    by = beside_random(np.stack([strong, weak, rare], axis=1), baseline, 0.05)
    assert judge(by[0], "a smiling face", 0.3, 0.05)[0] == "sensitive"
    assert judge(by[0], None, None, 0.05)[0] == "inconclusive"
    assert judge(by[0], "a smiling face", 0.01, 0.05)[0] == "inconclusive"
    assert judge(by[0], "a smiling face", 0.3, 0.05, random_change=0.29)[0] == "sensitive"
    verdict, why = judge(by[0], "a smiling face", 0.29, 0.05, random_change=0.29)
    assert (verdict, "move it by 0.29, as some random edits do" in why) == ("inconclusive", True)
    assert judge(by[1], "a smiling face", 0.3, 0.05)[0] != "sensitive"
    assert judge(by[2], "a smiling face", 0.3, 0.05)[0] == "inconclusive"
    assert (by[0].images, by[2].images) == (20, 2)


def test_a_reason_shows_on_which_side_of_the_smallest_effect_a_figure_lies() -> None:
    """It said that 0.05 is less than the smallest effect, 0.05, and that a bound of 0.05 is too low."""
    draw = np.random.default_rng(0)
    changes = np.stack([np.full(200, 0.048), np.full(200, 0.9)], axis=1)
    small, large = beside_random(changes, draw.uniform(0, 0.01, (200, 8)), 0.05)
    assert "by 0.048;" in judge(small, "a smiling face", 0.3, 0.05)[1]
    assert judge(large, "a smiling face", 0.0499, 0.05)[1].endswith("“a smiling face” move it by 0.0499 only.")
    assert "bound is 0.0496, which" in judge(large._replace(lowest=0.0496), "a smiling face", 0.3, 0.05)[1]


def test_edits_that_change_the_ground_truth_do_not_show_that_the_target_does_not_mind() -> None:
    draw = np.random.default_rng(0)
    label_kept = np.arange(60) < 3  # of the images: else the change is taken for 0, see `Trial`
    (by,) = beside_random(np.where(label_kept, 0.4, 0.0)[:, None], draw.uniform(0, 0.04, (60, 8)), 0.1)
    assert judge(by, "a smiling face", 0.3, 0.1)[0] == "negligible"
    verdict, why = judge(by, "a smiling face", 0.3, 0.1, label_kept=3 / 60)
    assert (verdict, "only 5 % of its edits keep the label" in why) == ("inconclusive", True)
    assert judge(by, "a smiling face", 0.3, 0.1, label_kept=0.9)[0] == "negligible"


def test_what_reacts_to_any_edit_has_no_discovery_that_can_be_told_from_random_ones() -> None:
    draw = np.random.default_rng(0)
    wild, calm = draw.uniform(0.1, 0.9, (20, 8)), draw.uniform(0, 0.04, (20, 8))
    alike, strong, weak = draw.uniform(0.1, 0.9, 20), np.full(20, 0.95), draw.uniform(0, 0.04, 20)

    def apart(change: list[NDArray[np.float64]], baseline: NDArray[np.float64], least: float = 0.1) -> bool:
        columns = np.stack(change, axis=1) if change else np.zeros((20, 0))
        return told_apart(beside_random(columns, baseline, 0.05), baseline, least)

    assert not apart([alike], wild)
    assert not apart([], wild)
    assert apart([alike, strong], wild)
    assert apart([weak], calm)  # nothing was found, and random edits do nothing either
    assert apart([alike], wild, least=0.8)
    assert strongest(wild) == pytest.approx(wild.mean(axis=0).max())


def test_of_random_edits_no_more_is_said_than_that_nothing_moves_the_model_clearly_further() -> None:
    draw = np.random.default_rng(0)
    strong, one_strong = draw.uniform(0.1, 0.25, (6, 6)), np.where(np.arange(8) == 0, 0.12, 0.03) * np.ones((6, 8))
    results = beside_random(strong, one_strong, 0.05)
    assert not told_apart(results, one_strong, 0.1)
    assert min(tested.mean for tested in results) > 1.2 * strongest(one_strong)
    clusters = (replace(named("a beard", "inconclusive"), mean_change=results[0].mean),)
    about: dict[str, Any] = {"flipped": 0, "searched": 6, "config": {"target": "age.onnx"}, "environment": {}}
    result = Discovery(clusters=clusters, random_change=strongest(one_strong), told_apart=False, **about)
    assert "nothing that was found moves it clearly further" in str(result.advice)
    assert headline(result) == "Nothing that was found can be told apart from random edits, which move the model too"


def test_a_vocabulary_speaks_of_the_thing(tmp_path: Path) -> None:
    encoder = load_text_encoder("pets")
    prompts = read_vocabulary(GENERAL, "a pet")
    assert "a pet with a collar" in prompts
    assert read_vocabulary(GENERAL, " A pet") == prompts
    with pytest.raises(ConfigError, match="must be a text, not int"):
        read_vocabulary(GENERAL, 5)  # type: ignore[arg-type]
    known = readable([*prompts, "a pet with a collar", "a pet"], encoder, "a pet")
    assert known.count("a pet with a collar") == 1
    assert "a pet with sunglasses" not in known
    assert "a pet" not in known
    for encoding in ("utf-8", "utf-8-sig"):  # with the mark that editors of Windows put first
        (tmp_path / "empty.txt").write_text("# nothing\n\n", encoding=encoding)
        with pytest.raises(ConfigError, match="holds no words"):
            read_vocabulary(tmp_path / "empty.txt", "a pet")
    assert readable(["a quasar"], encoder, "a pet") == []


def test_a_vocabulary_may_say_in_paraphrases_what_other_lists_say_too(tmp_path: Path) -> None:
    """A discovery by such a vocabulary was refused: its words repeated those of the general list."""
    (tmp_path / "words.txt").write_text("a pet  with a collar|a sleepy pet\na dog|a pet\n")
    prompts = [*read_vocabulary(tmp_path / "words.txt", "a pet"), *read_vocabulary(GENERAL, "a pet")]
    known = readable(prompts, load_text_encoder("pets"), "a pet")
    assert known[0] == "a pet  with a collar|a sleepy pet"
    assert {"a pet with a collar", "a sleepy pet", "a dog|a pet"}.isdisjoint(known)
    assert len(parse_attributes(known, neutral="a pet")) == len(known)


@pytest.mark.parametrize("line", ["scratch=examples:pictures", "older=scorer:age.onnx", "component 2=edits"])
def test_a_vocabulary_holds_words_alone(line: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text(f"a pet with a collar\n{line}\n")
    with pytest.raises(ConfigError, match=r"words\.txt gives '.*' by .*: it must hold words alone"):
        read_vocabulary(tmp_path / "words.txt", "a pet")


def test_a_discovery_does_not_go_on_with_a_model_that_answers_otherwise(tmp_path: Path) -> None:
    config = {"target": "a", "answers": {"target": [[0.1], [0.9]]}}
    begin_discovery(tmp_path / "out", config, {})
    begin_discovery(tmp_path / "out", {**config, "answers": {"target": [[0.1000001], [0.9]]}}, {})
    for other in ({**config, "answers": {"target": [[0.9], [0.1]]}}, {**config, "target": "b"}):
        with pytest.raises(AuditError, match="choose another folder"):
            begin_discovery(tmp_path / "out", other, {})


HOLD = """
import pathlib, sys
from zoom_engine.common.files import folder_lock
folder_lock.acquire(pathlib.Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_folder_that_another_process_writes_is_refused_until_that_ends(tmp_path: Path) -> None:
    config = {"target": "a"}
    with locked_discovery(tmp_path, config, {}):
        pass
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], **pipes) as other:
        assert other.stdout.readline() == b"locked\n"
        with (
            pytest.raises(AuditError, match=rf"another run \(process {other.pid}\) is writing .*: wait for it or"),
            locked_discovery(tmp_path, config, {}),
        ):
            pytest.fail("it is locked")
        other.kill()
        other.wait()
        with locked_discovery(tmp_path, config, {}):
            assert (tmp_path / "manifest.json").is_file()


def test_no_lock_is_left_in_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(AuditError, match="something other than a discovery"), locked_discovery(tmp_path, {}, {}):
        pytest.fail("it is of something else")
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def named(name: str | None, verdict: Any) -> Cluster:
    return Cluster(
        name=name,
        score=0.61,
        runner_up=name,
        runner_up_score=0.55,
        word_change=0.2,
        search_images=9,
        images=12,
        held_out=24,
        mean_change=0.31,
        ci95=(0.2, 0.4),
        label_kept=1.0,
        baseline=0.05,
        p_value=0.01,
        p_adjusted=0.02,
        verdict=verdict,
        why="it moves them",
    )


def test_the_command_of_the_audit_has_every_option_that_was_given(tmp_path: Path) -> None:
    """A model that was found to need labels, a scale and trust was audited without them."""
    given = ["--generator", "my faces.pkl", "--target", "age.onnx", "--label=-1", "--input-mean", "0.5", "--trust"]
    names = ("hair", None, "a face's hat", "- a smile")  # a line of a list
    clusters = tuple(named(name, "sensitive") for name in names)
    config = {"target": "age.onnx"}
    result = Discovery(clusters=clusters, flipped=9, searched=24, config=config, environment={"audit": given})
    told = ["--attribute", "hair", "--attribute", "a face's hat", "--attribute=- a smile", "--out", "audit"]
    assert shlex.split(result.command()) == ["zoom-engine", "diagnose", *given, *told]
    write_discovery(tmp_path, result, [], {}, None)
    assert Discovery.load(tmp_path).command() == result.command()
    for name in ("audit", "notices"):  # notices that are no texts ended the page with a traceback
        begin_discovery(tmp_path / name, config, {name: [3]})
        (tmp_path / name / "summary.json").write_bytes((tmp_path / "summary.json").read_bytes())
        with pytest.raises(AuditError, match=rf"environment\.{name}"):
            Discovery.load(tmp_path / name)


@pytest.mark.parametrize(("seed", "told"), [(0, ["--seed", "1"]), (7, [])])
def test_what_was_found_is_audited_on_other_images(seed: int, told: list[str]) -> None:
    """An audit of the default seed had those images among its own by which its attributes were chosen."""
    config, environment = {"target": "age.onnx", "seed": seed}, {"audit": ["--target", "age.onnx"]}
    clusters = (named("hair", "sensitive"),)
    result = Discovery(clusters=clusters, flipped=9, searched=24, config=config, environment=environment)
    words = ["zoom-engine", "diagnose", "--target", "age.onnx", "--attribute", "hair", *told, "--out", "audit"]
    assert shlex.split(result.command()) == words


@pytest.mark.parametrize(
    ("clusters", "told"),
    [
        ([("inconclusive", 0.0002), ("negligible", 0.0)], "Inconclusive: nothing was found that is shown to move"),
        ([("inconclusive", 0.0002), ("inconclusive", 0.05)], "Something moves the model, but it is inconclusive"),
        ([("negligible", 0.0)], "Nothing was found that moves the model"),
    ],
)
def test_a_headline_says_that_something_moves_a_model_where_it_does(
    clusters: list[tuple[str, float]], told: str
) -> None:
    """Of few images nothing is negligible, so nearly every sound model was said to be moved by something."""
    made = tuple(replace(named(None, verdict), mean_change=mean) for verdict, mean in clusters)
    config = {"target": "age.onnx", "smallest_effect": 0.05}
    assert headline(Discovery(clusters=made, flipped=9, searched=24, config=config, environment={})).startswith(told)


def test_a_page_calls_no_p_value_zero_and_no_cluster_inconclusive_that_is_negligible(tmp_path: Path) -> None:
    config = {"target": "age.onnx", "smallest_effect": 0.05, "random_directions": 8, "labels": [], "vocabulary": []}
    (still,) = beside_random(np.zeros((200, 1)), np.full((200, 8), 0.02), 0.05)
    assert judge(still, None, None, 0.05)[0] == "negligible"  # though no word fits
    clusters = (replace(named("hair", "sensitive"), p_adjusted=7e-6), named(None, "negligible"))
    begin_discovery(tmp_path, config, {})
    result = Discovery(clusters=clusters, flipped=9, searched=24, config=config, environment={})
    write_discovery(tmp_path, result, [], {}, None)
    page = write_discovery_page(tmp_path).read_text()
    assert "<td>below 0.0001</td>" in page
    assert "A cluster that no word fits is never called sensitive" in page


def test_a_headline_hides_no_flip() -> None:
    about: dict[str, Any] = {"clusters": (), "searched": 24, "config": {"target": "age.onnx"}, "environment": {}}
    assert headline(Discovery(flipped=0, **about)) == "Nothing was found that moves the model"
    assert headline(Discovery(flipped=1, **about)).startswith("1 of 24 images flips, but nothing was found")


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("colors", [False, True])
def test_the_table_of_clusters_fits_its_terminal_whatever_they_are_called(width: int, colors: bool) -> None:
    names = ("a smiling face with a very long beard " * 9, "日本語の笑顔" * 9, "a\x1b[31m\n\u202eface", None)
    clusters = [named(name, verdict) for name in names for verdict in ("sensitive", "inconclusive", "negligible")]
    config = {"target": "a\x1b[31m\nmodel", "random_directions": 8}
    result = Discovery(
        clusters=tuple(clusters),
        flipped=9,
        searched=24,
        random_change=0.4,
        told_apart=False,
        config=config,
        environment={},
    )
    text = result.table(width=width, colors=colors)
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert (plain != text) == colors
    assert all(line.isprintable() for line in plain.split("\n"))
    assert max(map(cell_len, plain.split("\n"))) <= width
    assert ("runner-up" in plain) == (width == 140)
    assert "so nothing stands out" in " ".join(plain.split())
