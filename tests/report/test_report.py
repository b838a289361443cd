"""The report of an audit: true to the folder, safe with hostile names, one file within 5 MB."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from html_page import HOSTILE, Page, links_of
from PIL import Image
from registered import register
from simulated import simulated

from zoom_engine.common import registry
from zoom_engine.common.errors import AuditError, ZoomError
from zoom_engine.report import IndexEntry, sections, write_index, write_report, writer
from zoom_engine.report.page import read_page
from zoom_engine.report.pictures import BUDGETS
from zoom_engine.report.source import Source
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.table import p_value

TEMPLATES = Path(sections.__file__).parent / "templates"


@pytest.fixture
def page(make_audit) -> Page:
    return Page(write_report(make_audit("audit")))


def test_the_headline_says_what_moves_the_model_and_how_sure_that_is(make_audit) -> None:
    audit = make_audit("audit")
    page = Page(write_report(audit))
    row = Diagnosis.load(audit).sensitivity[0]
    low, high = row.ci95
    figures = f"{row.mean_change:.2f} [{low:.2f}, {high:.2f}]"
    records = [r for r in Diagnosis.load(audit).records if r.attribute == row.attribute.text]
    decisive = sum(r.flipped and abs(r.output[0] - r.original_output[0]) >= 0.1 for r in records)
    assert 0 < decisive <= len(records) == 12
    hero = hero_of(audit)
    assert f"Sensitive to pale skin ({figures}), smiling (" in hero
    assert f"How sure Pale skin: {decisive} of 12 images flip decisively" in hero
    measurement = "(in the corner of a picture), on 12 generated images; 3 attributes edited one at a time."
    sensitive = "Sensitive: a mean change of more than 0.05."
    assert (
        f"Measured: the probability of “mustache” {measurement} {sensitive} A flip: the probability crosses 0.5."
        in hero
    )
    rises = r"pale skin : adding it raises the probability of “mustache” by 0.\d\d on average \(12 images\); removing"
    assert re.search(rises, page.text)
    assert "3 of 3 sensitive" in page.text
    assert "the probability of “mustache”" in page.text


def test_the_first_screen_says_once_how_many_images_flip(make_audit) -> None:
    audit = make_audit("audit")
    gallery = json.loads((audit / "gallery.json").read_text())
    for strip in gallery["strips"]:
        strip["kind"] = "typical"
    (audit / "gallery.json").write_text(json.dumps(gallery))
    hero = hero_of(audit)
    assert "The median change of 12 images;" in hero
    assert hero.count("of 12 images flip") == 1
    strips = Page(write_report(audit)).text.partition("How the audit works")[2]
    assert strips.count("of 12 images flip decisively") >= 2, "each picture below says it for itself"


def test_a_report_says_what_it_is_for_and_can_be_signed_once_the_audit_is_finished(make_audit) -> None:
    purpose = "release 4 of <the door>"
    audit = make_audit("audit", purpose=purpose)
    finished = Page(write_report(audit))
    assert f"Intended use {purpose}" in finished.text.split("How the audit works")[0]
    assert "Name and role Date Signature" in finished.text
    assert f"SHA-256 {hashlib.sha256((audit / 'records.jsonl').read_bytes()).hexdigest()}" in finished.text
    unfinished = Page(write_report(make_audit("unfinished", finish=False)))
    assert "Intended use not given" in unfinished.text
    assert "Signature" not in unfinished.text


def test_page_one_says_who_answers_for_which_model_and_which_audit_it_is(make_audit) -> None:
    about = {"owner": "Mona <Risk>", "purpose": "shaving adverts", "model_version": "1.4"}
    audit = make_audit("audit", begun="2026-01-02T03:04:05+00:00", **about)
    records = hashlib.sha256((audit / "records.jsonl").read_bytes()).hexdigest()
    told = (
        f"Owner Mona <Risk> Model avatars:mustache Model version 1.4 Model hash {'ab12' * 3} Audited on 2026-01-02"
        f" Audit id {records[:12]} Intended use shaving adverts"
    )
    manifest = json.loads((audit / "manifest.json").read_text())
    manifest["config"]["target_details"]["content_hash"] = "ab12" * 16
    (audit / "manifest.json").write_text(json.dumps(manifest))
    before, _, sign = Page(write_report(audit)).text.partition("Sign-off By")
    assert told in before.partition("How the audit works")[0]
    assert told in sign
    assert "signing you confirm that you have read what is sensitive" in sign
    assert f"You sign for audit {records[:12]} : its results are in records.jsonl with SHA-256 {records}" in sign


def test_what_nobody_said_of_an_audit_is_not_given(make_audit) -> None:
    told = Page(write_report(make_audit("audit"))).text.partition("How the audit works")[0]
    assert "Owner not given Model avatars:mustache Model version not given Model hash not given" in told
    assert "Audited on not given" in told
    assert "Intended use not given" in told


def test_a_p_value_below_four_digits_is_not_said_to_be_0() -> None:
    page = read_page(Source(None, simulated(images=20, baseline=0.01)), BUDGETS[0])
    small = [dataclasses.replace(row, figures=dataclasses.replace(row.figures, p_adjusted=2e-6)) for row in page.rows]
    numbers = sections.SECTIONS["numbers"].html(dataclasses.replace(page, rows=tuple(small)))
    assert numbers.count("<td>below 0.0001</td>") == len(small)
    assert "<td>0.0000</td>" not in numbers


CONDITIONS = [
    {"subject": "pale skin", "rule": "sensitivity at most 0.1", "outcome": "fail", "estimate": "0.390 [0.3, 0.5]"},
    {"subject": "<b>hat</b>", "rule": "sensitivity at most 0.1", "outcome": "inconclusive", "estimate": "0.05"},
    {"subject": "a beard", "rule": "sensitivity at most 0.1", "outcome": "pass", "estimate": "0.01 [0.0, 0.04]"},
]


def hold(audit: Path, conditions: list[dict[str, str]] = CONDITIONS) -> None:
    """Write what a gate leaves in an audit's folder."""
    records = hashlib.sha256((audit / "records.jsonl").read_bytes()).hexdigest()
    content = {"conditions": conditions, "baseline": None, "judged": "2026-02-03T00:00:00+00:00", "records": records}
    (audit / "gate.json").write_text(json.dumps(content))


def test_conditions_of_a_gate_stand_on_top_of_report_and_card_the_worst_first(make_audit, tmp_path: Path) -> None:
    audit, without = make_audit("audit"), make_audit("without")
    hold(audit)
    table = (
        "Outcome Attribute Rule Estimate [95 %] FAIL pale skin sensitivity at most 0.1 0.390 [0.3, 0.5] INCONCLUSIVE"
        " <b>hat</b> sensitivity at most 0.1 0.05 PASS a beard sensitivity at most 0.1 0.01 [0.0, 0.04]"
    )
    told = Page(write_report(audit)).text.partition("How the audit works")[0]
    assert "Conditions FAIL 1 fail, 1 inconclusive, 1 pass, judged on 2026-02-03." in told
    assert table in told
    assert "Conditions" not in Page(write_report(without)).text.partition("How the audit works")[0]
    index = Page(write_index(tmp_path, [audit, without])).text
    worst = table.partition(" INCONCLUSIVE ")[0]
    audit_id = Diagnosis.load(audit).about.audit_id
    told = f"FAIL Conditions: 1 fail, 1 inconclusive, 1 pass (audit {audit_id}, 2026-02-03) {worst} "
    assert index.count(told) == 1
    assert index.partition("Conditions:")[0].count("FAIL") == 1 + 1, "beside its headline on top, and on its card"
    assert "PASS" not in index
    assert "INCONCLUSIVE" not in index
    assert index.count("Conditions") == 1 + index.count("Conditions None: this audit was not held to any.")
    assert index.count("NOT JUDGED") == index.count("Conditions None") == 1, "of the other audit"


def test_all_failures_are_shown_and_of_the_rest_a_few(make_audit) -> None:
    audit = make_audit("audit")
    hold(audit, [CONDITIONS[0]] * 8 + [CONDITIONS[2]] * 3)
    page = Page(write_report(audit))
    assert "3 more, none of which fails" in page.text
    assert page.html.partition("<summary>3 more")[0].count('<span class="tag fail">FAIL</span>') == 1 + 8


def test_an_outcome_of_other_records_is_not_shown(make_audit, tmp_path: Path) -> None:
    audit = make_audit("audit")
    hold(audit)
    told = json.loads((audit / "gate.json").read_text())
    (audit / "gate.json").write_text(json.dumps({**told, "records": "0" * 64}))
    for page in (Page(write_report(audit)), Page(write_index(tmp_path, [audit]))):
        assert "They were judged on other records than these, on 2026-02-03, and are not shown" in page.text
        assert "FAIL" not in page.text
        assert "0.390" not in page.text


NO_CONDITION = '{"conditions": [], "judged": "2026-02-03T00:00:00+00:00", "records": ""}'


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"conditions": [{"outcome": "fine"}]}', '{"records": 3}', NO_CONDITION]
)
def test_a_damaged_outcome_is_told_in_a_line(content: str, make_audit) -> None:
    audit = make_audit("audit")
    (audit / "gate.json").write_text(content)
    with pytest.raises(AuditError, match=r"cannot read .*gate\.json \(.*\): run zoom-engine gate again, or remove it"):
        write_report(audit)


def test_an_index_is_written_again_as_it_was(make_audit, tmp_path: Path) -> None:
    audits = [make_audit("one"), make_audit("two")]
    for audit in audits:
        write_report(audit)
    page = write_index(tmp_path, [IndexEntry(audits[0], "One", "First."), audits[1]], title="Two", introduction="Both.")
    before, diagnosis = page.read_text(encoding="utf-8"), Diagnosis.load(audits[1])
    page.write_text(before.replace("First.", ""), encoding="utf-8")
    assert writer.write_index_again(audits[1], diagnosis) == page
    assert page.read_text(encoding="utf-8") == before
    (tmp_path / "index.json").write_text('{"audits": [{"audit": "../../elsewhere"}]}')
    with pytest.raises(AuditError, match=r"cannot read .*index\.json"):
        writer.write_index_again(audits[1], diagnosis)
    (tmp_path / "index.json").unlink()
    with pytest.raises(AuditError, match="is of an older version: run the command that made it again"):
        writer.write_index_again(audits[1], diagnosis)
    page.unlink()
    assert writer.write_index_again(audits[1], diagnosis) is None


def test_a_report_says_where_it_comes_from_and_links_what_lies_beside_it(make_audit) -> None:
    audit = make_audit("audit")
    names = ["manifest.json", "records.jsonl", "summary.json"]
    manifest = json.loads((audit / "manifest.json").read_text())
    manifest["begun"] = "2026-01-02T03:04:05+00:00"
    manifest["environment"] |= {"generator": "/home/somebody/own.pkl", "system": "Linux x86_64", "cores": 2}
    manifest["resumed_in"] = [{"generator": "/mnt/elsewhere/own.pkl", "cores": 8}]
    manifest["workers"] = [{"machine": "10.77.0.2", "trials": 3}]
    (audit / "manifest.json").write_text(json.dumps(manifest))
    page = Page(write_report(audit))
    told = page.text.split("Where this report comes from")[1].split("Sign-off")[0]
    assert f"Audit {Diagnosis.load(audit).manifest.identity} Begun 2026-01-02T03:04:05+00:00 Made on Linux" in told
    assert "Gone on with on 8 cores" in told
    assert links_of(page) == names
    for name in names:
        assert hashlib.sha256((audit / name).read_bytes()).hexdigest() in told
    assert "own.pkl" in page.text
    assert "somebody" not in page.html
    assert "elsewhere" not in page.html
    assert "10.77.0.2" not in page.html
    (audit / "summary.json").unlink()
    baseline = Page(write_report(audit))
    assert links_of(baseline) == names[:2], "all that a gate's baseline needs"
    assert "Not finished" not in baseline.text, "no record is missing"


def test_a_report_leads_back_to_the_index_that_shows_it(make_audit, tmp_path: Path) -> None:
    audits = [make_audit(name) for name in ("sound", "a biased one", "alone")]
    for audit in audits:
        assert "../index.html" not in links_of(Page(write_report(audit)))
    write_index(tmp_path, audits[:2])
    assert ["../index.html" in links_of(Page(write_report(audit))) for audit in audits] == [True, True, False]
    planned = Page(write_report(audits[2], index=tmp_path / "all of them" / "index.html"))
    assert "../all%20of%20them/index.html" in links_of(planned)


def hero_of(audit: Path) -> str:
    """The first screen of its report."""
    return Page(write_report(audit)).text.split("The findings in full")[0]


def findings_of(audit: Path) -> str:
    """What follows the first screen."""
    return Page(write_report(audit)).text.split("The findings in full")[1].split("How the audit works")[0]


def test_the_first_page_says_how_large_effects_are_and_whose(make_audit) -> None:
    audit = make_audit("audit", baseline=0.1)
    page = Page(write_report(audit))
    first, hero = hero_of(audit), findings_of(audit)
    low, high = Diagnosis.load(audit).sensitivity[0].interval
    assert f"Sensitive to pale skin (0.55 [{low:.2f}, {high:.2f}]) and smiling (" in first
    assert "None of 8 random edits of this size moves the output as far." in first
    assert "Other attributes: 1 no further than random edits." in first
    assert "Sensitive, specific pale skin, smiling : a mean effect above 0.05 is shown, and random edits" in hero
    assert "Sensitive, unspecific a beard : a mean effect above 0.05 is shown, but random edits of this size" in hero
    assert "3 of 3 sensitive, 2 specific" in hero
    assert (
        "8 random edits that change pictures as much move the output by 0.10 on average, the strongest by 0.11" in hero
    )
    bars = [tags.get("class") for tag, tags in page.tags if tag in ("li", "rect")]
    assert [kind for kind in bars if kind in ("sensitive", "inconclusive", "negligible")] == [
        *["sensitive"] * 3,
    ]
    assert bars.count("baseline") == 3
    for column in ("verdict", "random edits", "as far", "adjusted p"):
        assert column in page.text


def test_prompts_that_name_nothing_visible_are_told_beside_what_is_sensitive(make_audit) -> None:
    """On the row and in the headline: what a meaningless prompt does as well is no finding."""
    audit = make_audit("audit", baseline=0.1, by_control=0.6)
    page, findings = Page(write_report(audit)), findings_of(audit)
    assert "; control prompts moved it by at most 0.60; an effect of" in findings
    assert "A meaningless control prompt moves the output as far (0.60)." in hero_of(audit)
    assert "3 of 3 sensitive, 2 specific" in findings, "they are no part of a verdict"
    assert page.text.count("no further than a control prompt") == 3
    assert "moves the output by 0.60, and “pale skin”, “smiling”, “a beard” by no more" in page.text
    few = Page(write_report(make_audit("few", baseline=0.1, by_control=0.02))).text
    assert "No further than control prompts" not in few
    assert "no further than a prompt" not in few


def test_side_effects_are_a_table_and_are_named_beside_the_bar(make_audit) -> None:
    page = Page(write_report(make_audit("audit", baseline=0.1)))
    assert "what else each edit changes" in page.text
    assert page.text.count("side effects: pale skin") == 2
    assert "From 0.25 on it is a side effect, which is named beside the bar of the row." in page.text
    assert "+0.4" in page.text.split("what else each edit changes")[1]
    for column in ("when added", "adjusted change"):
        assert column in page.text


def test_sensitivities_are_told_apart_by_groups(make_audit) -> None:
    audit = make_audit("audit")
    groups = Diagnosis.load(audit).sensitivity[0].groups
    text = Page(write_report(audit)).text.split("Among which images")[1]
    for group, title in zip(
        groups, ("has “a face with eyeglasses” 4", "lacks “a face with eyeglasses” 8"), strict=False
    ):
        assert f"{title} images" in text
        assert f"{group.mean_change:.3f} [{group.ci95[0]:.3f}, {group.ci95[1]:.3f}]" in text
    assert "predicted mustache" in text


def test_a_group_s_images_are_counted_for_each_attribute(make_audit) -> None:
    """A record that was lost took an image from all attributes of the group, in the first row's name."""
    audit = make_audit("audit")
    first = Diagnosis.load(audit).sensitivity[0].attribute
    records = [json.loads(line) for line in (audit / "records.jsonl").read_text().splitlines()]
    lost = next(r for r in records if r["attribute"] == first.text and r["groups"] == [True])
    (audit / "records.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in records if r is not lost))
    text = Page(write_report(audit)).text.split("Among which images")[1]
    assert "has “a face with eyeglasses” 4 images" in text
    row = next(row for row in Diagnosis.load(audit).sensitivity if row.attribute == first)
    group = row.groups[0]
    assert group.images == 3
    assert f"{group.mean_change:.3f} [{group.ci95[0]:.3f}, {group.ci95[1]:.3f}] of 3" in text


def test_differences_between_groups_stand_beside_them_and_on_the_first_screen(make_audit) -> None:
    audit = make_audit("audit", images=40, gain=2.0)
    still = {"flipped": False, "decisive": False, "flip_weight": None, "ssim": None, "bounds": None, "paper": None}
    records = [json.loads(line) for line in (audit / "records.jsonl").read_text().splitlines()]
    for record in records:
        record["groups"] = [record["image"] % 2 == 0]
        if record["attribute"] == "a smiling face" and record["image"] % 2:
            record.update(**still, output=record["original_output"], change=0.0, trajectory=[])
    (audit / "records.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    row = next(row for row in Diagnosis.load(audit).sensitivity if row.attribute.text == "a smiling face")
    (one,) = row.differences
    means = {group.group: f"{group.mean_change:.2f}" for group in row.groups}
    assert one.differs
    sentence = (
        f"Smiling moves the output further in images that have “a face with eyeglasses”: {means['has']}, against"
        f" {means['lacks']} in those that lack it; adjusted p {p_value(one.p_adjusted)}."
    )
    hero, rest = Page(write_report(audit)).text.split("How the audit works")
    assert f"Differs between groups {sentence}" in hero
    among = rest.split("Among which images")[1]
    assert sentence in among
    ends = f"[{one.ci95[0]:.3f}, {one.ci95[1]:.3f}]"
    assert f"{one.difference:.3f} {ends} {p_value(one.p_adjusted)}" in among


def test_groups_that_are_too_small_to_compare_are_told(make_audit) -> None:
    text = Page(write_report(make_audit("audit"))).text
    few = "“a face with eyeglasses” are not compared with those that lack it: 4 have it, 8 lack it, and 5 of each are"
    assert f"Images that have {few} needed." in text.split("Among which images")[1]
    assert "Differs between groups" not in text


def test_a_table_says_how_likely_effects_are_detected(make_audit) -> None:
    audit = make_audit("audit", baseline=0.1)
    findings, power = findings_of(audit), Diagnosis.load(audit).summary().power
    least = math.ceil(100 * power.detectable) / 100
    assert list(power.sensitive) == ["0.05", "0.1", "0.2", "0.4"]
    chances = " ".join(f"{size} {100 * power.sensitive[size]:.0f} %" for size in ("0.1", "0.2", "0.4"))
    assert (
        f"{'Would see' if least <= 0.1 else 'Could miss'} 0.1 Effects of {least:g} or more are detected in at least 80"
        f" of 100 such audits. Effect Chance of detecting it {chances} In words"
    ) in findings, "of sizes that matter alone"
    assert "such audits" not in findings_of(make_audit("unfinished", finish=False))


def test_what_random_edits_do_too_is_no_attributes_own(make_audit) -> None:
    audit = make_audit("audit", baseline=0.6)
    hero, findings = hero_of(audit), findings_of(audit)
    assert "Reacts to any change: pale skin moves it by 0.55 [" in hero
    assert "], random edits by up to 0.66" in hero
    assert "7 of 8 random edits of this size move the output as far." in hero
    assert "Next Run zoom-engine discover: it looks for what else moves this model." in hero
    assert "Sensitive, unspecific pale skin, smiling, a beard : a mean effect above 0.05 is shown, but" in findings
    assert "That is much: something that no attribute names moves this model. zoom-engine discover looks" in findings
    assert "3 of 3 sensitive, 0 specific" in findings


def test_two_images_show_nothing_and_the_page_does_not_say_that_nothing_moves(make_audit) -> None:
    """Most of the images flipped, and the page said that no attribute moves the output by 0.05 or more."""
    audit = make_audit("few", images=2, baseline=0.1)
    needed = max(row.images_to_settle or 0 for row in Diagnosis.load(audit).sensitivity)
    assert 2 < needed < 100, "of which all digits are said"
    assert f"Inconclusive: about {needed} images would settle them" in hero_of(audit)
    assert "3 of 3 inconclusive" in findings_of(audit)


def test_what_is_negligible_is_said_to_be_no_more_than_that(make_audit) -> None:
    audit = make_audit("audit", baseline=0.001, gain=0.001, images=150)
    hero, findings = hero_of(audit), findings_of(audit)
    assert "None of 3 attributes moves the output by 0.05 or more" in hero
    assert "Largest shift 0.00 [" in hero
    assert "The probability of “mustache” moves by less than 1 percentage point on average." in hero
    assert "All negligible" in findings
    assert "Negligible pale skin, smiling, a beard : a mean effect of 0.05 or more is ruled out" in findings


@pytest.mark.parametrize(("done", "known"), [(1, 36), (35, 36), (50, 132)], ids=["begun", "attributes", "random edits"])
def test_an_unfinished_audit_decides_nothing(make_audit, done: int, known: int) -> None:
    """Whether random edits are needed is known once the attributes are measured."""
    page = Page(write_report(make_audit("audit", baseline=0.1, finish=False, done=done)))
    assert f"Not finished: {done} of {known} measurements done" in page.text
    assert "So far pale skin moves the output" in page.text
    assert ("not measured yet" in page.text) == (done == 1)
    assert "sensitive" not in {tags.get("class") for tag, tags in page.tags if tag == "li"}
    findings = page.text.partition("Where it comes from")[2]  # as of all images it told of the first ones
    assert re.search(r"^ ?So far: pale skin ?: adding it raises ", findings)
    assert "In words, so far The probability of “mustache” moves by " in findings


def test_an_unfinished_audit_does_not_say_that_no_attribute_is_sensitive(make_audit) -> None:
    page = Page(write_report(make_audit("audit", baseline=0.1, finish=False, done=35)))
    assert "Not finished: 35 of 36 measurements done" in page.text
    assert "No attribute is sensitive" not in page.text


def test_what_the_run_told_opens_the_page(make_audit) -> None:
    audit = make_audit("audit")
    assert Page(write_report(audit)).html.count('role="note"') == 0
    manifest = json.loads((audit / "manifest.json").read_text())
    manifest["environment"]["notices"] = ["this is assumed: RGB in [0, 1]", HOSTILE[0]]
    (audit / "manifest.json").write_text(json.dumps(manifest))
    page = Page(write_report(audit))
    first = page.html.partition("<h1")[0]
    assert "2 notes of the run that made this audit: read them first" in first
    assert '<p role="note">This is assumed: RGB in [0, 1].</p>' in first
    assert first.count('role="note"') == 2
    assert "<script" not in first


def test_prompts_that_lead_the_other_way_stand_among_what_the_audit_cannot_say(make_audit) -> None:
    audit = make_audit("audit")
    assert "Prompts that lead the other way" not in Page(write_report(audit)).text
    manifest = json.loads((audit / "manifest.json").read_text())
    manifest["environment"]["misread"] = ["a face that is not smiling", HOSTILE[0]]
    (audit / "manifest.json").write_text(json.dumps(manifest))
    page = Page(write_report(audit))
    limits = page.text.partition("What this audit cannot say")[2]
    assert "Prompts that lead the other way" in limits
    assert "The text model hardly reads the denial in “a face that is not smiling” and “" in limits
    assert "Type what is there in its place" in limits
    assert page.open == []


def test_the_markup_is_balanced_and_the_page_complete(page: Page) -> None:
    assert page.open == []
    assert [tag for tag, _ in page.tags].count("h1") == 1
    for heading in (
        "How the audit works",
        "Counterfactuals",
        "How the output responds",
        "What each edit does",
        "All the numbers",
    ):
        assert heading in page.text
    assert "Label check on" in page.text
    assert "config.bound" in page.text


def test_the_page_needs_nothing_but_itself(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "srcset", "action", "data", "poster"):
                assert value.startswith("data:image/")
    assert set(links_of(page)) == {"manifest.json", "records.jsonl", "summary.json"}, "which lie beside it"
    assert "url(" not in page.html
    assert "@import" not in page.html
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy


def test_the_page_runs_its_own_script_and_no_other(make_audit) -> None:
    page = Page(write_report(make_audit("audit", attributes=HOSTILE, purpose=HOSTILE[0])))
    (script,) = re.findall(r"<script>(.*?)</script>", page.html, flags=re.S)
    assert page.all("script") == [{}]
    shipped = Path(writer.__file__).parent / "templates"
    assert script == "\n".join((shipped / name).read_text(encoding="utf-8") for name in ("report.js", "images.js"))
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert "unsafe-inline" not in policy.replace("style-src 'unsafe-inline'", "")
    for control in ("input", "select", "button"):
        assert page.all(control) == [], "without the script none is of use"


def test_every_picture_decodes_and_has_a_text_and_a_corner(page: Page) -> None:
    pictures = page.all("img")
    assert len(pictures) == 2 + 6 * 4 + 3 * 7
    for attributes in pictures:
        assert attributes["alt"]
        data = base64.b64decode(attributes["src"].removeprefix("data:image/webp;base64,"))
        with Image.open(io.BytesIO(data)) as image:
            assert (str(image.width), str(image.height)) == (attributes["width"], attributes["height"])
    chips = [attributes for attributes in page.all("span") if attributes.get("class") == "chip"]
    assert len(chips) == 2 + 6 * 4
    assert any("the probability of “mustache”: 0.51" in attributes["alt"] for attributes in pictures)


def test_the_text_of_a_picture_says_what_was_done_to_it_and_how_strongly(page: Page) -> None:
    texts = [attributes["alt"] for attributes in page.all("img")]
    for step in (4, 8, 12):
        assert any(text.startswith(f"The same picture with smiling added, edit weight +{step}. the") for text in texts)


def test_tables_have_headers_and_pictures_of_charts_have_labels(page: Page) -> None:
    headers = page.all("th")
    assert all(attributes.get("scope") for attributes in headers)
    charts = [attributes for attributes in page.all("svg") if attributes.get("role") == "img"]
    assert len(charts) == 3
    assert all("edit weight" in attributes["aria-label"] for attributes in charts)
    assert all(attributes.get("role") == "img" or attributes.get("aria-hidden") for attributes in page.all("svg"))
    targets = [attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert set(targets) <= set(ids)
    assert len(ids) == len(set(ids))


def test_both_ranges_stand_in_one_table(make_audit) -> None:
    audit = make_audit("audit")
    page = Page(write_report(audit))
    for row in Diagnosis.load(audit).sensitivity:
        assert f"{row.mean_change:.3f}" in page.text
        assert f"{row.paper.mean_change:.3f}" in page.text
    assert "calibrated range" in page.text
    assert "paper range" in page.text
    assert "Edits out of range" in page.text


def test_hostile_names_stay_text(make_audit) -> None:
    page = Page(write_report(make_audit("audit", attributes=HOSTILE, target="<img src=x onerror=alert(3)>")))
    assert page.open == []
    assert [tag for tag, _ in page.tags if tag in ("script", "iframe")] == ["script"]
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert all(attributes["src"].startswith("data:image/webp;base64,") for attributes in page.all("img"))
    for name in (*HOSTILE, "<img src=x onerror=alert(3)>", "<b>here</b>"):
        assert " ".join(name.split()) in page.text
    assert "49 &amp;" not in page.html


def test_svg_is_well_formed_with_hostile_names(make_audit) -> None:
    page = Page(write_report(make_audit("audit", attributes=HOSTILE)))
    drawings = re.findall(r"<svg.*?</svg>", page.html, flags=re.S)
    assert len(drawings) > 8
    for drawing in drawings:
        for element in ElementTree.fromstring(drawing).iter():
            assert not any(name.startswith("on") for name in element.attrib)
            numbers = re.findall(r"-?[\d.]+", element.get("d", ""))
            assert all(np.isfinite(float(number)) for number in numbers)


def test_without_labels_the_report_says_so(make_audit) -> None:
    page = Page(write_report(make_audit("audit", labels=False)))
    assert "Label check off" in page.text
    assert "not checked" in page.text


def test_a_target_that_hardly_moves(make_audit) -> None:
    audit = make_audit("audit", gain=0.001)
    page = Page(write_report(audit))
    needed = max(row.images_to_settle or 0 for row in Diagnosis.load(audit).sensitivity)
    assert 12 < needed < 100, "of which all digits are said"
    assert f"Inconclusive: about {needed} images would settle them" in page.text
    assert "3 of 3 inconclusive" in page.text, "twelve images do not show that nothing moves"


def test_multi_mode_goes_by_shares_of_the_attributes_own_ranges(make_audit) -> None:
    page = Page(write_report(make_audit("audit", mode="multi")))
    assert page.open == []
    headline = r"\d+ of 12 images flip decisively when all attributes are edited together; most moved: pale skin"
    assert re.search(headline, page.text)
    assert re.search(r"In these flips pale skin is moved by 0\.\d\d \[.*\] of its own range on average\.", page.text)
    assert "share of the range" in page.text
    assert "How far each attribute is moved where the model flips" in page.text
    assert "sensitive to?" not in page.text
    assert "How sensitive the model is" not in page.text
    assert "How the output responds" not in page.text
    assert "all attributes together" in page.text


def test_a_page_says_whose_range_edits_keep_to(make_audit) -> None:
    """Of attributes that were edited together no image has a range of its own."""
    of_image, of_all = "until its own text score is", "All images are edited up to the same edit weights"
    for mode, text, absent in (("single", of_image, of_all), ("multi", of_all, of_image)):
        html = write_report(make_audit(mode, mode=mode)).read_text()
        assert text in html
        assert absent not in html


def test_a_page_of_attributes_edited_together_stands_where_nothing_flips(make_audit) -> None:
    audit = make_audit("audit", mode="multi", gain=0.0001, images=2)
    page = Page(write_report(audit))
    assert "No decisive flip found in 2 images when all attributes are edited together" in page.text
    assert "Typical unedited → all attributes edited" in page.text
    index = Page(write_index(audit.parent, [audit])).text
    assert ("not measured" in index, index.count("no decisive flip")) == (False, 3), "an index said so of each of them"


@pytest.mark.parametrize("method", [None, "regression", "discovered", "<b>svd</b>"])
def test_the_text_model_is_said_to_have_made_directions_only_where_it_has(make_audit, method: str | None) -> None:
    page = Page(write_report(make_audit("audit", method=method)))
    result = method in (None, "regression")
    assert ("The text model gives each attribute a direction" in page.text) == result
    assert (f"given to the audit, made by “{method}”" in page.text) == (not result)
    assert ("described only by words" in page.text) == result


def test_the_counterfactual_is_the_most_similar_of_decisive_flips(make_audit) -> None:
    """A borderline flip of higher SSIM stood in the record, and the page called the decisive one most like it."""
    page = Page(write_report(make_audit("audit")))
    assert "Of the edits tried that flip the prediction decisively and keep the label, the one that leaves" in page.text
    assert "keeps the label and leaves the picture most like the original" not in page.text


@pytest.mark.parametrize("images", [1, 2])
def test_few_images(make_audit, images: int) -> None:
    page = Page(write_report(make_audit("audit", images=images)))
    assert page.open == []
    assert "nan" not in page.text.lower().replace("finance", "")
    assert "3 of 3 inconclusive" in page.text


@pytest.mark.parametrize("mode", ["single", "multi"])
@pytest.mark.parametrize("labels", [True, False], ids=["labels", "no-labels"])
@pytest.mark.parametrize("done", [0, 1, 4, 6])
def test_an_unfinished_audit_says_what_its_records_hold_and_no_more(
    make_audit, mode: str, labels: bool, done: int
) -> None:
    audit = make_audit("audit", finish=False, mode=mode, labels=labels, done=done)
    page = Page(write_report(audit))
    assert page.open == []
    measurements = 36 if mode == "single" else 12
    assert f"Not finished: {done} of {measurements} measurements done" in page.text
    assert page.text.startswith("Unfinished audit of")
    assert page.all("img") == []
    for wrong in ("nan", "None", "Clear lead", "Likely lead", "One measurement"):
        assert wrong not in page.text.replace("None of", "")
    assert ("No label prompts were given" in page.text) == (not labels)
    assert ("Label check on" in page.text) == labels
    assert ("not checked" in page.text) == (not labels and done > 0)
    if not done:
        assert "Nothing is measured yet." in page.text
        assert "of the reported edits keep their label" not in page.text
        assert "What the intervals cover" not in page.text
        assert not re.search(r"\b0 (%|of 0)", page.text.partition("All the numbers")[2])
    else:
        assert "So far " in page.text
        images = done if mode == "multi" else {1: 1, 4: 2, 6: 2}[done]
        assert f"images so far {images}" in page.text


def test_an_unfinished_audit_looks_unfinished_on_the_index(make_audit, tmp_path: Path) -> None:
    for name, finish in (("done", True), ("half", False)):
        write_report(make_audit(name, finish=finish))
    text = Page(write_index(tmp_path, [tmp_path / "half", tmp_path / "done"])).text
    assert text.count("Not finished: 18 of 36 measurements done") == 2, "in the list and on the card"
    assert text.index("Sensitive to pale skin") < text.index("Not finished"), "which is the last"
    assert text.count("Pictures are drawn when the audit is finished.") == 1


def test_pages_of_several_classes_speak_of_the_classes_that_are_predicted(make_audit) -> None:
    audit = make_audit("audit", classes=("plain", "beard", "mustache"))
    strips = json.loads((audit / "gallery.json").read_text())["strips"]
    page = Page(write_report(audit))
    flip = next(strip for strip in strips if strip["flipped"])
    before, after = (
        ("plain", "beard", "mustache")[flip["direction"][0]],
        ("plain", "beard", "mustache")[flip["direction"][1]],
    )
    assert {before, after} == {"beard", "mustache"}
    assert f"decisive flip from “{before}” to “{after}”" in page.text
    assert "In the corner of a picture: the class that the model predicts for the picture, with" in page.text
    assert "the probability of the class that the model predicts before the edit" in page.text
    assert "first predicted" not in page.text
    assert "the model’s decision changes here" not in page.text


def test_an_audit_without_a_calibrated_range_has_a_page_without_one(make_audit) -> None:
    page = Page(write_report(make_audit("audit", calibrated=False)))
    assert "calibrated range" not in page.text
    assert "marked “outside”" not in page.text
    assert not [cell for cell in page.all("th") if cell.get("class") == "outside"]


def test_sheets_mark_what_lies_outside_the_range_that_the_audit_uses(page: Page) -> None:
    assert [cell for cell in page.all("th") if cell.get("class") == "outside"]
    assert page.text.count("−30 outside −12 −6 0 +6 +12 +30 outside") == 3


def test_galleries_of_older_audits_are_not_called_typical(make_audit) -> None:
    page = Page(write_report(make_audit("audit", older=True)))
    assert "Chosen for a large change, not as typical" in page.text
    assert page.words.count("Example") == 7
    assert not {"Typical", "Typical flip", "Decisive flip"} & set(page.words)


def test_the_report_is_a_function_of_the_folder(make_audit) -> None:
    audit = make_audit("audit")
    first = write_report(audit).read_bytes()
    assert write_report(audit).read_bytes() == first
    assert sorted(path.name for path in audit.iterdir() if path.name.startswith(".")) == [".lock"]


def test_large_pictures_are_made_small_enough(make_audit, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = make_audit("audit", size=340, strips_each=1, attributes=("a face with pale skin",))
    path = write_report(audit)
    assert path.stat().st_size < 5_000_000
    assert max(int(attributes["width"]) for attributes in Page(path).all("img")) == BUDGETS[0].strip_side
    monkeypatch.setattr(writer, "LARGEST_PAGE", path.stat().st_size - 1)
    assert write_report(audit).stat().st_size < path.stat().st_size + 1
    assert max(int(attributes["width"]) for attributes in Page(path).all("img")) < BUDGETS[0].strip_side
    monkeypatch.setattr(writer, "LARGEST_PAGE", 1000)
    with pytest.raises(AuditError, match="would exceed"):
        write_report(audit)


def test_pictures_left_out_are_counted(make_audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "BUDGETS", (dataclasses.replace(BUDGETS[0], strips=4, sheets=2),))
    text = Page(write_report(make_audit("audit"))).text
    assert "2 more are in the audit folder" in text
    assert "1 more are in the audit folder" not in text
    assert "1 more is in the audit folder" in text


@pytest.mark.parametrize("name", ["../../secret.png", "images/missing.png", "manifest.json"])
def test_a_gallery_that_points_elsewhere(make_audit, tmp_path: Path, name: str) -> None:
    audit = make_audit("audit")
    (tmp_path.parent / "secret.png").write_bytes(b"x")
    gallery = json.loads((audit / "gallery.json").read_text())
    gallery["strips"][0]["frames"][0]["file"] = name
    (audit / "gallery.json").write_text(json.dumps(gallery))
    with pytest.raises(AuditError) as error:
        write_report(audit)
    assert len(str(error.value).splitlines()) == 1
    assert not (audit / "report.html").exists()


def test_a_damaged_gallery(make_audit) -> None:
    audit = make_audit("audit")
    (audit / "gallery.json").write_text("{")
    with pytest.raises(AuditError, match=r"gallery\.json cannot be read"):
        write_report(audit)


def test_no_audit_no_report(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="not an audit folder"):
        write_report(tmp_path)


def test_the_index_shows_audits_side_by_side_on_one_axis(make_audit, tmp_path: Path) -> None:
    for name, gain in (("sound", 0.2), ("a biased one", 1.5)):
        write_report(make_audit(name, gain=gain, target=f"avatars:{name}", baseline=0.1))
    entries = [IndexEntry(tmp_path / "sound", "Sound <model>", "A sentence."), tmp_path / "a biased one"]
    page = Page(write_index(tmp_path, entries, title="Two models", introduction="Read on."))
    assert page.open == []
    assert [attributes["href"] for attributes in page.all("a")] == [
        "sound/report.html",
        "a%20biased%20one/report.html",
    ]
    assert "Sound <model>" in page.text
    assert "A sentence." in page.text
    assert "avatars:a biased one" in page.text
    assert page.text.count("Sensitive to pale skin (0.13 [0.07, 0.44])") == 2
    assert "Sound <model> : Sensitive to pale skin (0.13 [0.07, 0.44]) avatars:a" in page.text
    assert "Sensitive , negligible : the interval lies above, or below, the smallest effect that matters" in page.text
    axes = re.findall(r'<div class="ticks">(.*?)</div>', page.html)
    assert len(axes) == 2
    assert axes[0] == axes[1]


def test_an_index_has_findings_first_then_what_is_open_then_nothing_then_what_is_not_finished(
    make_audit, tmp_path: Path
) -> None:
    made: dict[str, dict[str, Any]] = {
        "unfinished": {"finish": False},
        "nothing": {"gain": 0.001, "images": 150},
        "open": {"images": 2},
        "biased": {"gain": 1.5},
    }
    for name, options in made.items():
        write_report(make_audit(name, strips_each=1, **options))
    page = Page(write_index(tmp_path, [tmp_path / name for name in made]))
    links = [f"{name}/report.html" for name in ("biased", "open", "nothing", "unfinished")]
    assert [attributes["href"] for attributes in page.all("a")] == links
    kinds = [
        item["class"] for item in page.all("li") if item.get("class") in ("sensitive", "unfinished", "inconclusive")
    ]
    assert kinds[0] == "sensitive"
    assert page.text.index("Inconclusive: about") < page.text.index("None of 3 attributes moves the output by")


def test_the_cards_of_an_index_compare_line_by_line(make_audit, tmp_path: Path) -> None:
    """The order is that of the largest value on any card, whatever is first on each; what an audit lacks is said."""
    names = ("a face with a beard", "a smiling face", "a face with pale skin")
    write_report(make_audit("sound", gain=0.2, attributes=names))
    write_report(make_audit("biased", gain=1.5, attributes=(*names[1:], "an old face")))
    page = Page(write_index(tmp_path, [tmp_path / "sound", tmp_path / "biased"]))
    lines = [span["title"] for span in page.all("span") if span.get("class") == "name"]
    assert len(lines) == 8
    assert lines[:4] == lines[4:]
    assert lines[0] == "a smiling face"
    assert page.text.count("not in this audit") == 2
    assert page.text.count("of 12 images flip decisively") >= 3
    assert len(page.all("img")) == 2 * 2 + 6 * 2


def test_the_picture_of_a_card_is_of_what_its_headline_names(make_audit, tmp_path: Path) -> None:
    write_report(make_audit("sound", gain=0.2, attributes=("a face with a beard", "an old face")))
    write_report(make_audit("biased", gain=1.5, attributes=("a smiling face", "an old face")))
    page = Page(write_index(tmp_path, [tmp_path / "sound", tmp_path / "biased"]))
    cards = re.findall(r'<article class="card">(.*?)</figcaption>', page.html, re.DOTALL)
    assert len(cards) == 2
    for card, name in zip(cards, ("a beard", "smiling"), strict=True):
        headline, figure = card.split("<figure")
        assert name in headline, headline
        assert name in figure, figure


def test_the_index_links_only_reports_inside_its_folder(make_audit, tmp_path: Path) -> None:
    make_audit("audit")
    with pytest.raises(AuditError, match=r"has no report\.html"):
        write_index(tmp_path, [IndexEntry(tmp_path / "audit")])
    with pytest.raises(AuditError, match="is not inside"):
        write_index(tmp_path / "audit", [IndexEntry(tmp_path)])


def test_relative_paths_are_relative_to_the_working_folder(
    make_audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_audit("out/sound")
    monkeypatch.chdir(tmp_path)
    write_report("out/sound")
    page = Page(write_index("out", [IndexEntry("out/sound")]))
    assert [attributes["href"] for attributes in page.all("a")] == ["sound/report.html"]


def test_strips_lead_through_the_range_and_mark_the_flip(make_audit) -> None:
    audit = make_audit("audit", strips_each=5)
    strips = json.loads((audit / "gallery.json").read_text())["strips"]
    page = Page(write_report(audit))
    flips = sum(strip["flipped"] for strip in strips)
    assert 0 < flips < len(strips)
    assert page.text.count("The prediction flips at weight +8, 67 % of the way to +12, the end of this image") == flips
    assert page.text.count("weight +8 flips here 0.51 weight +12 flipped") == flips
    assert page.text.count("The prediction does not flip on the way to weight") == len(strips) - flips
    assert [a.get("data-flips-at") for a in page.all("figure") if a.get("class") == "strip"] == [
        "0.6667" if strip["flipped"] else None for strip in strips
    ]
    assert sum("flips here" in attributes["alt"] for attributes in page.all("img")) >= flips, "aloud too"


def test_curves_lead_to_the_pictures_of_a_strip(make_audit) -> None:
    page = Page(write_report(make_audit("audit")))
    ids = {a["id"] for a in page.all("figure") if "id" in a}
    curves = [a for a in page.all("div") if "data-strip" in a]
    assert [a["data-attribute"] for a in curves] == ["0", "1", "2"]
    assert {f"strip-{a['data-strip']}" for a in curves} <= ids
    assert all(len(a["data-points"].split()) == 4 for a in curves)
    older = Page(write_report(make_audit("older", older=True)))
    assert [a for a in older.all("div") if "data-strip" in a] == []


def test_photographs_stand_beside_what_the_generator_draws_of_them(make_audit) -> None:
    page = Page(write_report(make_audit("audit", photographs=2)))
    assert page.open == []
    assert [a["alt"] for a in page.all("img") if ".jpg" in a["alt"]] == [
        "The photograph 0.jpg",
        "As the generator draws it: 0.jpg",
        "The photograph 1.jpg",
        "As the generator draws it: 1.jpg",
        "The photograph 2.jpg",
    ]
    assert "0.jpg Output 0.2 → 0.25 Reconstruction error 0.20 as seen, 0.30 in pixels Flips under" in page.text
    assert "2.jpg Left out: is not what the generator draws." in page.text


def test_the_first_page_says_what_to_do_next(make_audit) -> None:
    def hero(name: str, **options: Any) -> str:
        return Page(write_report(make_audit(name, **options))).text.split("How the audit works")[0]

    assert "Next Check that each edit shows what its prompt says, then decide whether the model may use each" in hero(
        "audit", baseline=0.1
    )
    few = hero("inconclusive", images=3, baseline=0.1)
    run = r"Run zoom-engine diagnose … --images \d+: that would settle both inconclusive attributes"
    assert re.search(run + r" with a chance of 80 % or more\.", few)
    assert "Next Run the same command again" in hero("unfinished", finish=False)
    with_random = "Run it with random directions (without --random-directions 0)"
    assert with_random in hero("bare")
    assert with_random not in hero("nothing is sensitive", gain=0.001, images=150)
    assert with_random not in hero("nothing is known", images=2)


def chosen(tmp_path: Path, **plan: Any) -> tuple[Path, Diagnosis]:
    """The audit folder, and what it holds, of an audit that tried each attribute on as many images as it needed."""
    whole = simulated(images=plan["interim_analyses"][-1], **plan)
    stopped = {one.text: goal for one, goal in zip(whole.attributes, whole.course.goals, strict=True)}
    tried = tuple(record for record in whole.records if record.image < stopped[record.attribute])
    path = Diagnosis(whole.manifest, tried).save(tmp_path / "audit")
    return path, Diagnosis.load(path)


def test_a_report_says_on_how_many_images_each_attribute_was_tried(tmp_path: Path) -> None:
    audit, diagnosis = chosen(tmp_path, interim_analyses=[24, 48, 96], means=(0.001, 0.002, 0.06, 0.3))
    rows = diagnosis.sensitivity
    assert {row.verdict: row.images for row in rows} == {"sensitive": 24, "inconclusive": 96, "negligible": 96}
    page = Page(write_report(audit))
    assert page.open == []
    bars = page.html.partition('data-list="bars"')[2].partition("</ol>")[0].split("<li")[1:]
    told = [re.findall(r'<em class="aside">(\d+) images</em>', bar) for bar in bars]
    assert told == [[str(row.images)] for row in rows]
    table = page.html.partition('<table class="numbers">')[2].partition("</table>")[0]
    assert re.findall(r'<th scope="col">(\w+)</th>', table)[:2] == ["attribute", "images"]
    cells = re.findall(r'<th scope="row">.*?</th><td>(.*?)</td>', table)
    assert cells == [str(row.images) for row in rows]
    most = sum(row.images == 96 for row in rows)
    assert (
        f"Each attribute is tried on more images until it is sensitive or negligible, 96 images at most. {most} of 4"
        " attributes took all of them."
    ) in page.text


def test_a_report_says_that_all_attributes_are_settled_or_as_narrow_as_asked_for(tmp_path: Path) -> None:
    plans = {
        "settled": {"interim_analyses": [24, 400], "means": (0.001, 0.3, 0.3, 0.3)},
        "narrow": {"interim_analyses": [24, 400], "width": 0.6},
    }
    for name, until in {
        "settled": "it is sensitive or negligible, 400 images at most. All did by 400 images.",
        "narrow": "its interval is at most 0.6 wide, 400 images at most. All did by 24 images.",
    }.items():
        audit, _ = chosen(tmp_path / name, **plans[name])
        assert f"Each attribute is tried on more images until {until}" in Page(write_report(audit)).text


def test_a_report_of_a_given_number_of_images_does_not_repeat_it_for_each_attribute(page: Page) -> None:
    assert "Each attribute is tried on more images" not in page.text
    assert '<em class="aside">12 images</em>' not in page.html
    table = page.html.partition('<table class="numbers">')[2].partition("</table>")[0]
    assert "images" not in re.findall(r'<th scope="col">(\w+)</th>', table)


def test_a_report_says_how_intervals_and_verdicts_are_made(page: Page) -> None:
    assert (
        "95 % interval By betting (Waudby-Smith and Ramdas 2024), valid at any number of images and for all attributes"
        " at once."
    ) in page.text
    assert (
        "How large the effect is: shown to be above 0.05, shown to be below it, or neither. Each verdict is false in at"
        " most 5 of 100 audits. Attributes are tested together, which settles more than each interval by itself; such"
        " an interval ends at 0.05."
    ) in page.text


class Told:
    """A section of a package."""

    name = "told"
    text: Any = "<section aria-labelledby='told'><h2 id='told'>Told</h2></section>"

    def html(self, page: Any) -> Any:
        return self.text if page.source.finished else ""


def test_an_attribute_that_is_a_label_is_told(make_audit) -> None:
    title, ground = "An attribute that is a label", "its edit changes the ground truth"
    texts = ("a mustached face|A face with a  mustache", "a smiling face", "a face with bangs")
    page = Page(write_report(make_audit("one", attributes=texts)))
    assert title in page.text
    assert ground in page.text
    assert title not in Page(write_report(make_audit("none"))).text
    assert title not in Page(write_report(make_audit("unchecked", attributes=texts, labels=False))).text


def test_a_section_of_a_package_stands_before_the_limits(make_audit, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, registry.REPORT_SECTIONS, told=Told)
    text = write_report(make_audit("audit")).read_text(encoding="utf-8")
    assert text.index('id="numbers"') < text.index("id='told'") < text.index('id="limits"')
    assert "id='told'" not in write_report(make_audit("unfinished", finish=False)).read_text(encoding="utf-8")


class ToldNothing(Told):
    text = None


class ToldByZero(Told):
    def html(self, page: Any) -> Any:
        return 1 / 0


@pytest.mark.parametrize(
    ("name", "section", "reason"),
    [
        ("told", ToldNothing, "section 'told' gives a NoneType"),
        ("told", ToldByZero, r"'told' .* cannot be written: ZeroDivision"),
        ("limits", Told, "'limits' is zoom-engine's own"),
    ],
)
def test_a_wrong_section_of_a_package_is_refused_by_name(
    name: str, section: type[Told], reason: str, make_audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, registry.REPORT_SECTIONS, **{name: section})
    with pytest.raises(ZoomError, match=reason):
        write_report(make_audit("audit"))


def test_a_section_of_ours_is_one_template_and_its_name(make_audit, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [path.name.removesuffix(".html.j2") for path in (TEMPLATES / "sections").iterdir()]
    assert sorted(shown) == sorted(sections.SECTIONS)
    monkeypatch.setitem(sections.SECTIONS, "told", Told())
    assert write_report(make_audit("audit")).read_text(encoding="utf-8").count("id='told'") == 1
