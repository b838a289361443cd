"""What can be checked of the looks: contrast in both themes, and no sideways scrolling on a narrow phone."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pypdf
import pytest

import zoom_engine.report
from zoom_engine.report import IndexEntry, write_index, write_report

CSS = (Path(zoom_engine.report.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TEXT = [("text", "bg"), ("text", "raised"), ("muted", "bg"), ("muted", "surface"), ("muted", "raised")]
TEXT += [("accent", "bg"), ("accent", "accent-soft"), ("good", "good-soft"), ("warn", "warn-soft")]
LONG = "x" * 120
HARNESS = """<!doctype html><body style="margin:0"><script>
addEventListener("load", () => setTimeout(() => {
  document.body.dataset.result = JSON.stringify([...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument.documentElement;
    const faces = [...frame.contentDocument.querySelectorAll("img")].map(image => image.getBoundingClientRect().width);
    const background = getComputedStyle(frame.contentDocument.body).backgroundColor;
    return [page.scrollWidth, page.clientWidth, background, Math.min(...faces)];
  }));
}, 300));
</script>%s</body>"""


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
    found = colors(theme)
    assert set(colors(0)) == set(colors(1))
    for text, ground in TEXT:
        assert contrast(found[text], found[ground]) >= 4.5, (text, ground)
    for mark in ("bar", "bar-rest", "whisker"):
        for ground in ("bg", "raised", "range"):
            assert contrast(found[mark], found[ground]) >= 3.0, (mark, ground)
    assert contrast(found["muted"], found["range"]) >= 3.0, "the edge of a band, which itself is faint"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_scrolls_sideways(make_audit, tmp_path: Path, dark: bool) -> None:
    audits = [
        make_audit("plain"),
        make_audit("long", attributes=(f"a face with {LONG}", LONG + "y"), target=LONG),
    ]
    pages = [write_report(audit) for audit in audits]
    pages.append(write_index(tmp_path, [IndexEntry(audits[0], LONG, LONG), audits[1]], title=LONG))
    for page in pages[:2]:
        page.write_text(page.read_text(encoding="utf-8").replace("<details", "<details open"), encoding="utf-8")
    widths = (375, 640, 900, 1280)
    frames = "".join(
        f'<iframe src="{page.resolve().as_uri()}" style="border:0;height:900px;width:{width}px"></iframe>'
        for page in pages
        for width in widths
    )
    harness = tmp_path / "harness.html"
    harness.write_text(HARNESS % frames, encoding="utf-8")
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
    ]
    command += [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--dump-dom",
    ]
    command += [
        "--allow-file-access-from-files",
        "--virtual-time-budget=5000",
        f"--user-data-dir={tmp_path / 'user'}",
    ]
    command += [f"--blink-settings=preferredColorScheme={0 if dark else 1}", harness.as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'data-result="([^"]*)"', result.stdout)
    assert found is not None, result.stderr
    measured = json.loads(html.unescape(found[1]))
    assert len(measured) == len(pages) * len(widths)
    ground = colors(int(dark))["bg"]
    rgb = f"rgb({', '.join(str(int(ground[i : i + 2], 16)) for i in (1, 3, 5))})"
    for scroll, client, background, face in measured:
        assert scroll <= client
        assert background == rgb
        if client == widths[0]:
            assert face >= 140, "a face that can be read on a phone"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_paper_holds_what_the_page_does(make_audit, tmp_path: Path) -> None:
    """Details are open, and no text begins outside the sheet."""
    page = write_report(make_audit("audit", attributes=tuple(f"a face with {word}" for word in "abcdefgh"), null=0.02))
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    command += [f"--user-data-dir={tmp_path / 'user'}", f"--print-to-pdf={tmp_path / 'report.pdf'}", page.as_uri()]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    texts = []
    for sheet in pypdf.PdfReader(tmp_path / "report.pdf").pages:

        def inside(
            text: str, scale: list[float], place: list[float], *__: object, sheet: pypdf.PageObject = sheet
        ) -> None:
            assert not text.strip() or 0 <= place[4] * scale[0] + scale[4] <= float(sheet.mediabox.width), text

        texts.append(sheet.extract_text(visitor_text=inside))
    assert [("Sign-off" in text, "Signature" in text) for text in texts].count((True, True)) == 1, "on one sheet"
    printed = unicodedata.normalize("NFKC", " ".join(" ".join(texts).split()))  # of ligatures letters
    assert "config.search" in printed, "settings, which are folded away on the screen"
    assert printed.count("likeness to the original (SSIM)") == page.read_text().count("likeness to the original (SSIM)")
    for heading in ("calibrated range", "paper range", "What this audit cannot say"):
        assert heading in printed


@pytest.mark.parametrize("name", ["report", "index"])
def test_no_two_landmarks_share_a_name(name: str, make_audit, tmp_path: Path) -> None:
    page = write_report(make_audit("audit", null=0.02))
    if name == "index":
        page = write_index(tmp_path, [tmp_path / "audit"])
    labels = re.findall(
        r'<(?:section|[^>]*role="region")[^>]* aria-labelledby="([^"]*)"', page.read_text(encoding="utf-8")
    )
    assert len(labels) == len(set(labels))
