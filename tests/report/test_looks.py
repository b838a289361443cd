"""What can be checked of the looks: contrast in both themes, no sideways scrolling on a narrow phone, what the controls
do, what an accessibility checker finds, and what is on paper."""

from __future__ import annotations

import hashlib
import html
import json
import re
import subprocess
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pypdf
import pytest
from browser import CHROMIUM, opened
from PIL import Image

import zoom_engine.report
from zoom_engine import Diagnoser
from zoom_engine.gates.compare import compare
from zoom_engine.gates.history import history
from zoom_engine.gates.history_page import write_history
from zoom_engine.gates.judge import judge
from zoom_engine.gates.outcome import records_hash, show_outcome
from zoom_engine.gates.page import write_comparison
from zoom_engine.gates.rules import Rule
from zoom_engine.gates.yardstick import Equal, Furthest, Measured, Yardstick
from zoom_engine.gates.yardstick_page import write_yardstick
from zoom_engine.report import IndexEntry, write_index, write_report
from zoom_engine.report.image_grid import read_grids
from zoom_engine.report.source import Source
from zoom_engine.statistics.diagnosis import Diagnosis

CSS = (Path(zoom_engine.report.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
TEXT = [("text", "bg"), ("text", "raised"), ("muted", "bg"), ("muted", "surface"), ("muted", "raised")]
TEXT += [("accent", "bg"), ("accent", "accent-soft"), ("good", "good-soft"), ("warn", "warn-soft")]
LONG = "x" * 120
MEASURED = """frames.map(frame => {
    const page = frame.contentDocument.documentElement;
    const faces = [...frame.contentDocument.querySelectorAll("img")].map(image => image.getBoundingClientRect().width);
    const background = getComputedStyle(frame.contentDocument.body).backgroundColor;
    return [page.scrollWidth, page.clientWidth, background, Math.min(...faces)];
  })"""
USED = """frames.map(frame => {
    const page = frame.contentDocument, list = [];
    const control = (group, label) => [...page.querySelectorAll(`[aria-label="${group}"] label`)]
      .find(found => found.firstChild.data === label).querySelector("input, select");
    const set = (input, value) => { input.value = value; input.dispatchEvent(new Event("input")); };
    const texts = (root, selector) => [...root.querySelectorAll(selector)]
      .filter(found => getComputedStyle(found.closest("[data-attribute], details") || found).display !== "none")
      .map(found => found.textContent.trim());
    const note = () => list.push({
      bars: texts(page, ".bars .name"), rows: texts(page, '[data-list="numbers"] th'), curves: texts(page, ".plots h3"),
      strips: texts(page, ".strip h3"), told: texts(page, "[role=status]"),
      tags: texts(page, ".strip .tag"), open: texts(page, ".stack h3").length,
    });
    const find = control("Attributes, here and below", "Find an attribute");
    const sort = control("Attributes, here and below", "Sort by"), show = control("Pictures", "Show");
    note();
    set(sort, "name"); note();
    set(find, "BEARD"); note();
    set(find, ""); set(sort, ""); set(show, "flip"); note();
    set(show, ""); set(control("Pictures", "Sort by"), "flip"); note();
    const slider = page.querySelector("input[type=range]"), curve = slider.closest("[data-strip]");
    for (const place of ["0", "3"]) {
      set(slider, place);
      list.push([slider.getAttribute("aria-label"), slider.getAttribute("aria-valuetext"),
        curve.querySelector(".along img").alt, curve.querySelector(".here circle").getAttribute("cx")]);
    }
    return list;
  })"""
OPENED = """await Promise.all(frames.map(async frame => {
    const page = frame.contentDocument, list = [];
    const wait = () => new Promise(done => setTimeout(done, 300));
    const press = async (view, key) => { view.dispatchEvent(new KeyboardEvent("keydown", {key})); await wait(); };
    const note = document => {
      const dialog = document.querySelector("dialog"), place = document.activeElement.closest(".pictures > li");
      return {
        hash: document.location.hash, open: dialog.open, title: dialog.querySelector("h2").textContent,
        record: [...dialog.querySelectorAll("dd")].map(part => part.textContent),
        wide: [...dialog.querySelectorAll("img")].map(image => image.naturalWidth),
        unfolded: [...document.querySelectorAll(".images details[open] ol")].map(list => list.id),
        inside: dialog.contains(document.activeElement), focus: place && place.id,
        shown: [...document.querySelectorAll(".pictures > li[id]")].filter(one => one.checkVisibility()).length,
      };
    };
    page.querySelector(".bars .name a").click(); await wait(); list.push(note(page));
    page.querySelector(".images details[open] .pictures a").click(); await wait(); list.push(note(page));
    await press(frame.contentWindow, "ArrowRight"); list.push(note(page));
    await press(frame.contentWindow, "ArrowLeft"); await press(frame.contentWindow, "ArrowLeft"); list.push(note(page));
    await press(frame.contentWindow, "ArrowRight");
    [...page.querySelectorAll("dialog button")].at(-1).click(); await wait(); list.push(note(page));
    const again = document.createElement("iframe");
    again.src = frame.src + "?again#" + list[2].hash.slice(1);
    document.body.append(again);
    await new Promise(done => again.addEventListener("load", done));
    await wait(); list.push(note(again.contentDocument));
    page.querySelector(".images input[type=checkbox]").click(); await wait(); list.push(note(page));
    return list;
  }))"""
FOLD = 800
"""The height of a first screen in pixels, of a phone and of a small window."""
ON_FIRST_SCREEN = """frames.map(frame => {
    const page = frame.contentDocument, box = element => {
      if (!element) return null;
      const {left, top, right, bottom} = element.getBoundingClientRect();
      const line = parseFloat(frame.contentWindow.getComputedStyle(element).lineHeight);
      return {left, top, right, bottom, lines: (bottom - top) / line};
    };
    return Object.fromEntries(["h1", ".proof", ".proof .pair", ".certainty", ".next", ".ways"].map(
      name => [name, box(page.querySelector(name))]));
  })"""
TASKS: dict[str, dict[str, Any]] = {
    "multilabel": {"classes": ["old", "smiling", "bearded"]},
    "regression": {"range": [0, 80], "unit": "years"},
    "keypoints": {"points": ["left eye", "right eye"], "between": [0, 1]},
    "segmentation": {"classes": ["background", "face"]},
    "detection": {"classes": ["face"]},
    "embedding": {},
}
AXE = """await Promise.all(frames.map(frame => new Promise(done => {
    const page = frame.contentDocument, axe = page.createElement("script");
    const told = async part => {
      const {violations} = await frame.contentWindow.axe.run(part);
      return violations.flatMap(({id, nodes}) => nodes.map(node => `${id}: ${node.html.slice(0, 200)}`));
    };
    axe.onload = async () => {
      const list = await told(page), thumbnail = page.querySelector(".pictures a[data-original]");
      if (thumbnail) {
        thumbnail.click();
        await new Promise(opened => setTimeout(opened, 300));
        if (!page.querySelector("dialog").open) list.push("not opened");
        list.push(...await told("dialog"));
      }
      done(list);
    };
    axe.src = "axe.js";
    frame.contentDocument.head.append(axe);
  })))"""


def asked(script: str, pages: Sequence[tuple[Path, int]], folder: Path, *, dark: bool = False) -> Any:
    """What a JavaScript expression of `frames` comes to in a browser that shows the pages, each as wide as it says."""
    frames = "".join(
        f'<iframe src="{page.resolve().as_uri()}" style="border:0;height:900px;width:{width}px"></iframe>'
        for page, width in pages
    )
    harness = folder / "harness.html"
    harness.write_text(
        f"""<!doctype html><body style="margin:0"><script>
addEventListener("load", () => setTimeout(async () => {{
  const frames = [...document.querySelectorAll("iframe")];
  document.body.dataset.result = JSON.stringify({script});
}}, 300));
</script>{frames}</body>""",
        encoding="utf-8",
    )
    options = ["--dump-dom", "--allow-file-access-from-files", "--virtual-time-budget=20000"]
    options += [f"--blink-settings=preferredColorScheme={0 if dark else 1}", harness.as_uri()]
    result = chromium(folder, *options)
    actual = re.search(r'data-result="([^"]*)"', result)
    assert actual is not None, result[-2000:]
    return json.loads(html.unescape(actual[1]))


def chromium(folder: Path, *options: str) -> str:
    """What a browser without a window prints."""
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={folder / 'user'}", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def colors(theme: int) -> dict[str, str]:
    """The custom properties of the light (0) or dark (1) theme."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, flags=re.S)
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", blocks[theme]))


def luminance(color: str) -> float:
    """Relative luminance by WCAG 2."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(theme: int) -> None:
    result = colors(theme)
    assert set(colors(0)) == set(colors(1))
    for text, ground in TEXT:
        assert contrast(result[text], result[ground]) >= 4.5, (text, ground)
    for mark in ("bar", "bar-rest", "whisker"):
        for ground in ("bg", "raised", "range"):
            assert contrast(result[mark], result[ground]) >= 3.0, (mark, ground)
    assert contrast(result["muted"], result["range"]) >= 3.0, "the edge of a band, which itself is faint"


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_scrolls_sideways(make_audit, tmp_path: Path, dark: bool) -> None:
    audits = [
        make_audit("plain", photographs=2, grid=True),
        make_audit("long", attributes=(f"a face with {LONG}", LONG + "y"), target=LONG),
    ]
    pages = [write_report(audit) for audit in audits]
    pages.append(write_index(tmp_path, [IndexEntry(audits[0], LONG, LONG), audits[1]], title=LONG))
    for page in pages[:2]:
        page.write_text(page.read_text(encoding="utf-8").replace("<details", "<details open"), encoding="utf-8")
    widths = (375, 640, 900, 1280)
    sizes = asked(MEASURED, [(page, width) for page in pages for width in widths], tmp_path, dark=dark)
    assert len(sizes) == len(pages) * len(widths)
    ground = colors(int(dark))["bg"]
    rgb = f"rgb({', '.join(str(int(ground[i : i + 2], 16)) for i in (1, 3, 5))})"
    for scroll, client, background, face in sizes:
        assert scroll <= client
        assert background == rgb
        if client == widths[0]:
            assert face >= 140, "a face that can be read on a phone"


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_headline_picture_certainty_and_next_step_stand_on_the_first_screen(make_audit, tmp_path: Path) -> None:
    """Of each task, in both modes, at any stage, whatever was found; and on an index the headline of each audit."""
    options: dict[str, dict[str, Any]] = {
        "single": {"baseline": 0.1},
        "any change": {"baseline": 0.6},
        "with notes": {"notices": ("this is assumed: RGB in [0, 1] of the middle of a picture " * 4,) * 3},
        "many classes": {"classes": ("plain", "beard", "mustache")},
        "multi": {"mode": "multi"},
        "multi, no flip": {"mode": "multi", "gain": 0.0001, "images": 3},
        "unfinished": {"finish": False},
        "photographs": {"photographs": 2, "labels": False},
        "nothing": {"baseline": 0.001, "gain": 0.001, "images": 150},
        "could not see": {"images": 2, "baseline": 0.1},
        **{name: {"task": {"task": name, **more}, "baseline": 0.1} for name, more in TASKS.items()},
    }
    audits = {name: make_audit(name, strips_each=1, **told) for name, told in options.items()}
    pages = {name: write_report(audit) for name, audit in audits.items()}
    pages["index"] = write_index(tmp_path, [audits[name] for name in ("nothing", "unfinished", "single")])
    shown = [(name, width) for name in pages for width in (1160, 375)]
    boxes = asked(ON_FIRST_SCREEN, [(pages[name], width) for name, width in shown], tmp_path)
    for (name, width), parts in zip(shown, boxes, strict=True):
        parts = {part: box for part, box in parts.items() if box and (part == ".ways") == (name == "index")}
        if name == "index":
            assert 0 < parts[".ways"]["bottom"] <= FOLD
            continue
        assert ("h1" in parts, ".proof" in parts) == (True, name != "unfinished")
        headline, certainty, step = parts["h1"], parts[".certainty"], parts[".next"]
        assert headline["lines"] < (3.5 if width > 375 else 5.5), (name, width)
        for part, box in parts.items():
            assert 0 <= box["left"] < box["right"] <= width, (name, width, part)
            assert 0 <= box["top"] < box["bottom"] <= FOLD, (name, width, part, box["bottom"])
        assert headline["bottom"] <= certainty["top"] < certainty["bottom"] <= step["top"]
        if ".proof" in parts:
            picture = parts[".proof"]
            assert headline["bottom"] <= picture["top"]
            beside = picture["right"] <= certainty["left"]
            assert beside if width > 375 else picture["bottom"] <= certainty["top"], (name, width)


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_paper_holds_what_the_page_does(make_audit, tmp_path: Path) -> None:
    """Details are open, and no text begins outside the sheet."""
    attributes = tuple(f"a face with {word}" for word in "abcdefgh")
    audit = make_audit("audit", attributes=attributes, baseline=0.02, photographs=2, grid=True)
    page = write_report(audit)
    told = page.read_text(encoding="utf-8")
    filtered = without_policy(told).replace(
        "</body>",
        """<style>@media print { .numbers tbody td { height: 30mm; } }</style><script>
const find = document.querySelector("input[type=search]");
find.value = "nothing is called so";
find.dispatchEvent(new Event("input"));
</script></body>""",
    )
    page.write_text(filtered, encoding="utf-8")
    chromium(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'report.pdf'}", page.as_uri())
    texts, landscapes = [], []
    for sheet in pypdf.PdfReader(tmp_path / "report.pdf").pages:

        def inside(
            text: str, scale: list[float], place: list[float], *__: object, sheet: pypdf.PageObject = sheet
        ) -> None:
            assert not text.strip() or 0 <= place[4] * scale[0] + scale[4] <= float(sheet.mediabox.width), text

        texts.append(sheet.extract_text(visitor_text=inside))
        landscapes.append(sheet.mediabox.width > sheet.mediabox.height)
    assert [("Sign-off" in text, "Signature" in text) for text in texts].count((True, True)) == 1, "on one sheet"
    printed = unicodedata.normalize("NFKC", " ".join(" ".join(texts).split()))  # of ligatures letters
    assert "config.search" in printed, "settings, which are folded away on the screen"
    assert printed.count("likeness to the original (SSIM)") == told.count("likeness to the original (SSIM)")
    for control in ("Sort by", "Find an attribute", "0 of 8 attributes"):
        assert control not in printed
    assert printed.count("flips here") == told.count("<b>flips here</b>") > 8
    assert printed.count("drawn again") == 2
    for heading in ("calibrated range", "paper range", "What this audit cannot say"):
        assert heading in printed
    assert printed.count("decisive flip") >= told.count("<b>decisive flip</b>") > 8
    assert "; this image’s range is" not in printed, "the records of pictures"
    records = hashlib.sha256((audit / "records.jsonl").read_bytes()).hexdigest()[:12]
    wide = [text for text, landscape in zip(texts, landscapes, strict=True) if landscape]
    assert len(wide) > 1
    assert all("largest change" in " ".join(text.split()) for text in wide), "a table has its headings on each page"
    for number, text in enumerate(texts, start=1):
        assert f"Audit {records} · model without a hash · begun on an unknown day" in text
        assert f"Page {number} of {len(texts)}" in text
        assert len(text.split("Audit ")[0]) + len(text.split(f"of {len(texts)}")[-1]) > 40, "a page that holds nothing"


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_controls_sort_filter_and_move_along_curves(make_audit, tmp_path: Path) -> None:
    """On the page as it is, under its own policy."""
    names = ["pale skin", "smiling", "a beard"]
    page = write_report(make_audit("audit", baseline=0.1, gain=0.3))
    ((plain, by_name, result, flips, soon, *moves),) = asked(USED, [(page, 900)], tmp_path)
    assert plain["bars"] == plain["curves"] == names
    assert plain["strips"] == [name for name in names for _ in range(2)]
    assert (plain["told"], plain["open"]) == (["", ""], 4)
    assert by_name["bars"] == by_name["curves"] == sorted(names)
    assert by_name["strips"] == [name for name in sorted(names) for _ in range(2)]
    assert result["bars"] == result["curves"] == ["a beard"]
    assert len(result["rows"]) == 1
    assert result["strips"] == ["a beard"] * 2
    assert result["told"] == ["1 of 3 attributes, in this section and below", "2 of 6 images"]
    assert flips["bars"] == names
    tags = {"Decisive flip", "Typical flip"}
    assert set(flips["tags"]) <= tags
    assert 0 < len(flips["strips"]) < 6
    assert [tag in tags for tag in soon["tags"]] == sorted((tag in tags for tag in plain["tags"]), reverse=True), (
        "those that flip come first"
    )
    (label, start, first, left), (_, end, last, right) = moves
    assert label == "Edit weight of pale skin, one image"
    assert start == "original: 0.21"
    assert end.startswith("weight +12")
    assert end.endswith(": 0.51")
    assert first != last
    assert float(left) < float(right)


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("alone", [False, True], ids=["folder", "one file"])
def test_a_bar_leads_to_the_record_of_an_image_in_two_clicks(make_audit, tmp_path: Path, alone: bool) -> None:
    """And a link to it opens it again, arrows lead on, and the focus comes back to where it was."""
    audit = make_audit("audit", grid=True)
    page = write_report(audit, single_file=tmp_path / "alone.html" if alone else None)
    ((bar, first, second, back, closed, linked, flips),) = asked(OPENED, [(page, 900)], tmp_path)
    assert (bar["hash"], bar["unfolded"], bar["open"]) == ("#images-pale-skin", ["images-pale-skin"], False)
    (grid, *others) = read_grids(Source(audit)).grids
    for seen, thumbnail in ((first, grid.thumbnails[0]), (second, grid.thumbnails[1]), (back, grid.thumbnails[0])):
        assert (seen["hash"], seen["open"], seen["inside"]) == (f"#{thumbnail.anchor}", True, True)
        assert seen["title"] == thumbnail.alt
        assert seen["record"] == [text for _, text in thumbnail.lines]
        assert seen["wide"] == [64] * 4, "pictures are shown under the policy of the page"
    assert (closed["open"], closed["hash"]) == (False, "#images-pale-skin")
    assert closed["focus"] == grid.thumbnails[1].anchor
    for name in ("hash", "open", "title", "record", "inside"):
        assert linked[name] == second[name], name
    assert flips["shown"] == sum(one.decisive for one in (grid, *others))


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_the_keyboard_alone_leads_from_a_bar_to_a_record_and_back(make_audit, tmp_path: Path) -> None:
    audit = make_audit("audit", grid=True)
    page = write_report(audit)
    first, second = read_grids(Source(audit)).grids[0].thumbnails[:2]
    dialog, focus = "document.querySelector('dialog')", "document.activeElement"
    with opened(tmp_path) as browser:
        tab = browser.tab()
        tab.open(page.as_uri())
        tab.wait(f"!!{dialog}")
        tab.value("document.querySelector('.bars .name a').focus()")
        tab.press("Enter")
        tab.wait("document.querySelector('.images details').open")
        tab.press("Tab")
        tab.wait(f"{focus}.closest('li')?.id === '{first.anchor}'")
        tab.press("Enter")
        tab.wait(f"{dialog}.open && {dialog}.contains({focus})")
        for _ in range(8):
            tab.press("Tab")
            assert tab.value(f"{dialog}.contains({focus}) || {focus} === document.body"), "nothing behind it"
        tab.press("ArrowRight")
        tab.wait(f"location.hash === '#{second.anchor}'")
        tab.press("Escape")
        tab.wait(f"!{dialog}.open && {focus}.closest('li')?.id === '{second.anchor}'")
        assert tab.value("location.hash") == "#images-pale-skin"


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_an_accessibility_checker_finds_no_violation(make_audit, tmp_path: Path) -> None:
    """On the screen in light and dark, and on paper, with all that is folded away."""
    checker = Path(pytest.importorskip("axe_core_python").__file__).with_name("axe.min.js")
    (tmp_path / "axe.js").write_bytes(checker.read_bytes())
    audits = [
        make_audit("plain", baseline=0.1, photographs=2, notices=("this is assumed",), grid=True),
        make_audit("unfinished", finish=False),
        make_audit("multi", mode="multi", task={"task": "regression", **TASKS["regression"]}),
    ]
    pages = {audit.name: write_report(audit) for audit in audits}
    pages["index"] = write_index(tmp_path, audits)
    media = {
        "light": {},
        "dark": {"@media (prefers-color-scheme: dark)": "@media all"},
        "paper": {"@media print": "@media all", "@media screen": "@media not all"},
    }
    shown = []
    for name, page in pages.items():
        for look, changes in media.items():
            text = without_policy(page.read_text(encoding="utf-8")).replace("<details", "<details open")
            for old, new in changes.items():
                assert old in text
                text = text.replace(old, new)
            shown.append(tmp_path / f"{name}-{look}.html")
            shown[-1].write_text(text, encoding="utf-8")
    results = asked(AXE, [(page, 900) for page in shown], tmp_path)
    assert {page.name: violations for page, violations in zip(shown, results, strict=True) if violations} == {}


def without_policy(text: str) -> str:
    """A page that runs scripts of a test too."""
    result, count = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert count == 1
    return result


SCROLLED = """frames.map(frame => {
    const page = frame.contentDocument.documentElement;
    return [page.scrollWidth, page.clientWidth];
  })"""


def measured_by_brightness(audit: Diagnosis, folder: Path) -> Yardstick:
    """A yardstick with pictures, of which each attribute and one edit have long names."""
    (folder / "photographs").mkdir()
    for grey in (40, 90, 140):
        Image.new("RGB", (64, 48), (grey, grey, grey)).save(folder / "photographs" / f"{grey}.png")
    by = Diagnoser(
        editor="corruptions",
        editor_options={"brightness": [1, 2]},
        attributes=["brightness"],
        photos=folder / "photographs",
        target=lambda pictures: pictures.mean((1, 2, 3)) / 255,
    ).run(out=folder / "by")
    equals = (Equal("brightness", "stops", 1.3, 1, 2), Equal(LONG, LONG, 3, 0, 7))
    rows = [Measured(row.attribute, row.attribute.name, row, equals) for row in audit.sensitivity]
    return Yardstick(audit, by, tuple(rows), Furthest("brightness", "stops", 2, 0.4))


@pytest.mark.ci
@pytest.mark.slow(20)
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_conditions_and_pages_of_several_audits_fit_a_phone_without_a_violation(
    make_audit, tmp_path: Path, dark: bool
) -> None:
    """The reports and the index with the conditions of a gate, a comparison, a history and a yardstick."""
    checker = Path(pytest.importorskip("axe_core_python").__file__).with_name("axe.min.js")
    (tmp_path / "axe.js").write_bytes(checker.read_bytes())
    attributes = (f"a face with {LONG}", "a smiling face", "a face with a beard")
    audits = [
        make_audit(f"audit {gain}", attributes=attributes, gain=gain, images=40, model_version=version, owner=LONG)
        for gain, version in ((0.02, "1.0"), (1.0, LONG))
    ]
    for audit in audits:
        write_report(audit)
    write_index(tmp_path, audits)
    rules = [Rule(max_sensitivity=0.15)]
    diagnoses = [Diagnosis.load(audit) for audit in audits]
    verdicts = [judge(diagnosis, rules) for diagnosis in diagnoses]
    assert {one.outcome for verdict in verdicts for one in verdict.findings} == {"pass", "inconclusive", "fail"}
    for audit, diagnosis, verdict in zip(audits, diagnoses, verdicts, strict=True):
        show_outcome(audit, diagnosis, verdict, records=records_hash(audit))
    pages = [*(audit / "report.html" for audit in audits), tmp_path / "index.html"]
    pages.append(write_comparison(tmp_path / "compare.html", compare(diagnoses)))
    pages.append(write_history(tmp_path / "history.html", history(diagnoses, rules)))
    pages.append(write_yardstick(tmp_path / "yardstick.html", measured_by_brightness(diagnoses[1], tmp_path)))
    assert all('class="beside"' in pages[place].read_text(encoding="utf-8") for place in (-3, -1))
    for page in pages:
        text = without_policy(page.read_text(encoding="utf-8")).replace("<details", "<details open")
        (page.parent / f"open-{page.name}").write_text(text, encoding="utf-8")
        (page.parent / "axe.js").write_bytes(checker.read_bytes())
    shown = [(page.parent / f"open-{page.name}", width) for page in pages for width in (375, 1160)]
    assert [size for size in asked(SCROLLED, shown, tmp_path, dark=dark) if size[0] > size[1]] == []
    results = asked(AXE, shown, tmp_path, dark=dark)
    assert {str(page): one for page, one in zip(shown, results, strict=True) if one} == {}


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_names_of_conditions_are_whole_on_paper(make_audit, tmp_path: Path) -> None:
    audit = make_audit("audit", attributes=("a face with eyeglasses", "a smiling face"), gain=0.02, baseline=0.02)
    page = write_report(audit)
    diagnosis = Diagnosis.load(audit)
    show_outcome(audit, diagnosis, judge(diagnosis, [Rule(max_sensitivity=0.02)]), records=records_hash(audit))
    chromium(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'report.pdf'}", page.as_uri())
    printed = "\n".join(sheet.extract_text() for sheet in pypdf.PdfReader(tmp_path / "report.pdf").pages)
    assert "INCONCLUSIVE" in printed
    assert "eyeglasses" in printed
    assert not re.search(r"eyeglass?e?\s+[es]*s\b", printed)


@pytest.mark.parametrize("name", ["report", "index"])
def test_no_two_landmarks_share_a_name(name: str, make_audit, tmp_path: Path) -> None:
    page = write_report(make_audit("audit", baseline=0.02))
    if name == "index":
        page = write_index(tmp_path, [tmp_path / "audit"])
    labels = re.findall(
        r'<(?:section|[^>]*role="region")[^>]* aria-labelledby="([^"]*)"', page.read_text(encoding="utf-8")
    )
    assert len(labels) == len(set(labels))
