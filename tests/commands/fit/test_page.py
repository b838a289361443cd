"""The page of a fit: whatever names and verdicts it has to show, on a phone, in the dark and on paper."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import CHROMIUM, opened
from html_page import HOSTILE, Page

from zoom_engine.commands.fit.answers import Answers, Decision
from zoom_engine.commands.fit.fitness import AttributeFitness, Fitness
from zoom_engine.commands.fit.page import Nearest, next_command, write_fit_page
from zoom_engine.commands.fit.pilot import Pilot
from zoom_engine.commands.fit.verdicts import Foretold, Inverted, Judgement, Read, ReadAttribute, Verdict
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.coverage import Coverage, Estimate
from zoom_engine.statistics.intervals import wilson
from zoom_engine.statistics.two_samples import Distance

LONG = "x" * 120
AXE = """axe.run(document).then(({violations}) => violations.flatMap(({id, nodes}) =>
  nodes.map(node => `${id}: ${node.html.slice(0, 200)}`)))"""


def fitness_of(*verdicts: Verdict, **changes: Any) -> Fitness:
    """A result with an attribute of each verdict, on a generator of the first."""
    one = Estimate(0.913, (0.85, 0.961))
    covering = Coverage(50, one, one, one, one, one)
    ranges = {"0.05": (0.0, 0.02), "0.1": (0.31, 0.95), "0.2": (0.99, 0.99)}
    power = tuple(Foretold({"0.05": 0.01, "0.1": share, "0.2": 0.99}, ranges, 0.14) for share in (0.4, 0.9))
    read = ReadAttribute(9.12, 8.3, (3.1, 2.9), (0.31, 0.28))
    names = ["a smiling face", LONG, *HOSTILE]
    attributes = tuple(
        AttributeFitness(
            Attribute.parse(name), name, read, power if number else (), Judgement(verdict, (f"since {LONG}", "and so"))
        )
        for number, (name, verdict) in enumerate(zip(names, verdicts, strict=False))
    )
    result = Fitness(
        generator="faces.pkl",
        target="age.onnx",
        text_encoder="ViT-B-32",
        photographs=100,
        unread=((HOSTILE[0], "is no picture"),),
        generated=256,
        coverage=covering,
        outlines=covering,
        inverted=Inverted(16, 3, wilson(3, 16), 0.31, 0.25, ((f"is {LONG}", 13),)),
        answers=Answers(
            Distance(0.12, 0.05, 0.07, (0.02, 0.11)),
            tuple(Decision(name, 0.25, 0.75) for name in (LONG, *HOSTILE)),
            "4.2 years",
        ),
        read=Read(0.9, 0.95, 100),
        pilot=Pilot(8, 0.05, power, {}),
        parts={"coverage": Judgement(verdicts[0], (f"it covers {LONG}",)), "words": Judgement("fit", ("it reads",))},
        attributes=attributes,
        notices=(LONG,),
        audit=("--generator", "faces.pkl", "--target", "age.onnx", "--neutral", "a face's photo", "--label=-1"),
    )
    return dataclasses.replace(result, **changes)


def written(folder: Path, result: Fitness) -> Path:
    grey = np.full((128, 128, 3), 90, np.uint8)
    shown = [Nearest(name, "about the median", 0.42, grey, grey) for name in ("a.png", LONG, HOSTILE[0])]
    return write_fit_page(folder / "fit.html", result, shown)


@pytest.mark.parametrize(
    ("verdicts", "headline", "code"),
    [
        (("fit", "fit"), "Fit for every attribute", 0),
        (("fit", "doubtful"), "Fit for “a smiling face”", 0),
        (("doubtful", "fit"), "Doubtful: it covers", 3),
        (("not fit", "not fit"), "Not fit: it covers", 1),
    ],
)
def test_headline_and_exit_code_follow_from_the_verdicts(
    verdicts: tuple[Verdict, ...], headline: str, code: int, tmp_path: Path
) -> None:
    result = fitness_of(*verdicts)
    assert result.verdict == verdicts[0]
    assert result.headline.startswith(headline)
    assert result.exit_code == code
    assert ("diagnose" in next_command(result)) is (code != 1)
    assert result.to_json()["headline"] in Page(written(tmp_path, result)).text


def test_a_generator_on_which_no_attribute_can_be_audited_is_not_fit() -> None:
    result = fitness_of("fit", "fit")
    refused = tuple(
        dataclasses.replace(one, judgement=Judgement("not fit", ("nobody has it",))) for one in result.attributes
    )
    result = dataclasses.replace(result, attributes=refused)
    assert (result.verdict, result.overall, result.exit_code) == ("fit", "not fit", 1)
    assert "no attribute can be audited" in result.headline
    assert next_command(result) == ""


def test_the_next_command_repeats_what_was_given_a_line_for_each_option() -> None:
    result = fitness_of("fit", "fit", "not fit")
    command = next_command(result)
    assert command.splitlines() == [
        "zoom-engine diagnose --generator faces.pkl --target age.onnx \\",
        "    --neutral 'a face'\"'\"'s photo' \\",
        "    --label=-1 \\",
        "    --attribute 'a smiling face' \\",
        f"    --attribute {LONG} \\",
        "    --out audit",
    ]
    words = shlex.split(command.replace("\\\n", ""))
    assert words == ["zoom-engine", "diagnose", *result.audit, *words[9:]]
    assert words[9:] == ["--attribute", "a smiling face", "--attribute", LONG, "--out", "audit"]


def test_the_next_command_takes_an_attribute_that_begins_as_an_option_does() -> None:
    """Such a word was read as one, so that the command as it was printed was refused."""
    result = fitness_of("fit", "fit")
    dashed = dataclasses.replace(result.attributes[0], given="- a smile")
    words = shlex.split(next_command(dataclasses.replace(result, attributes=(dashed,))).replace("\\\n", ""))
    assert words[-3:] == ["--attribute=- a smile", "--out", "audit"]


def test_options_that_no_command_line_says_are_named_in_its_place(tmp_path: Path) -> None:
    result = fitness_of("fit", "fit", audit=(), unsaid="text_encoder")
    assert next_command(result) == ""
    text = Page(written(tmp_path, result)).text
    assert "in Python: no command line says text_encoder" in text
    refused = Page(written(tmp_path, fitness_of("not fit", unsaid="text_encoder"))).text
    assert "no command line says" not in refused


def test_what_was_assumed_stands_below_the_verdict(tmp_path: Path) -> None:
    html = Page(written(tmp_path, fitness_of("fit", "fit"))).html
    assert html.index("<h1>") < html.index('class="command"') < html.index('class="banner"')


def test_without_words_and_text_encoder_the_page_speaks_of_neither(tmp_path: Path) -> None:
    result = fitness_of("fit", "fit", text_encoder="none", read=None)
    attributes = tuple(
        dataclasses.replace(one, read=ReadAttribute(None, None, (0.0, 0.0), (0.3, 0.4)), power=())
        for one in result.attributes
    )
    result = dataclasses.replace(result, attributes=attributes, pilot=None)
    text = Page(written(tmp_path, result)).text
    assert "colours and edges by their place" in text
    assert "eyes of none" not in text
    assert "colours and edges" in result.table()
    assert result.to_json()["read"] is None


def test_texts_of_others_stay_texts(tmp_path: Path) -> None:
    page = Page(written(tmp_path, fitness_of("fit", "fit", "doubtful", "not fit", "fit")))
    assert not page.open
    assert not page.all("script")
    assert [name for _, attributes in page.tags for name in attributes if name.startswith("on")] == []
    assert "{{ 7 * 7 }}" in page.text
    for text in HOSTILE[:2]:
        assert text in page.text


def test_without_pilot_inversion_and_decisions_the_page_says_so(tmp_path: Path) -> None:
    result = fitness_of("fit", "fit", pilot=None)
    result = dataclasses.replace(
        result,
        inverted=Inverted(0, 0, None, None, 0.25, note="it has no gradients"),
        answers=dataclasses.replace(result.answers, decisions=()),
        attributes=tuple(dataclasses.replace(one, power=()) for one in result.attributes),
    )
    text = Page(written(tmp_path, result)).text
    assert "Power was not predicted" in text
    assert "It has no gradients." in text
    assert "no decisions to count" in text
    assert result.to_json()["pilot"] is None
    assert "power" not in result.table()


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_it_fits_a_phone_and_an_accessibility_checker_finds_no_violation(tmp_path: Path) -> None:
    checker = Path(pytest.importorskip("axe_core_python").__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    page = written(tmp_path, fitness_of("doubtful", "fit", "not fit", "fit"))
    with opened(tmp_path) as browser:
        tab = browser.tab()
        tab.call("Page.setBypassCSP", enabled=True)
        for width, dark in ((375, False), (375, True), (1160, False)):
            tab.resize(width, 900)
            tab.dark(dark)
            tab.open(page.as_uri())
            tab.wait("document.readyState === 'complete' && !!document.querySelector('footer')")
            assert tab.value("document.documentElement.scrollWidth") <= width
            tab.value(checker)
            assert tab.value(AXE) == []
        tab.call("Emulation.setEmulatedMedia", media="print")
        shown = tab.value("[...document.querySelectorAll('section')].filter(part => part.checkVisibility()).length")
        assert shown == tab.value("document.querySelectorAll('section').length") == 6
        assert tab.value("document.documentElement.scrollWidth") <= 1160
        assert [one for one in tab.requests if not one.startswith("data:")] == [page.as_uri()] * 3
