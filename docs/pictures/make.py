"""``python docs/pictures/make.py FOLDER [NAME …]``: make the pictures of the pages, all or some, with a chromium.

FOLDER has the audits that they are of: a second call makes none again. It took five minutes on two idle cores.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from zoom_engine.cli import main as zoom_engine
from zoom_engine.domains import avatars

HERE = Path(__file__).parent
LARGEST = 150_000  # bytes of a picture
SCALE = 1.5  # pixels of the picture for each of the page's


class Shot(NamedTuple):
    """A part of a page, from the element that `selector` names on, as a window of this size shows it."""

    page: str
    width: int
    height: int
    selector: str = "body"


SHOTS = {
    "demo": Shot("demo/index.html", 1160, 872),
    "report": Shot("demo/biased/report.html", 1160, 720),
    "strip": Shot("demo/biased/report.html", 1160, 356, ".strip[data-kind=flip]"),
    "compare": Shot("compare.html", 1160, 960),
    "corruptions": Shot("corruptions/report.html", 1160, 800),
}
MADE = {"sheet": "sheet.png", "seen": "seen.png"}
"""Pictures that commands make as they are."""


def commands(folder: Path) -> list[list[str]]:
    """Return the commands that make what the pictures show."""
    corrupted = ["--editor", "corruptions", "--photos", f"{folder}/photos", "--target", "avatars:eyeglasses"]
    sheet = ["--attribute", "a smiling face", "--attribute", "a face with a beard", "--seeds", "0-2"]
    return [
        ["demo", "--out", f"{folder}/demo"],
        ["compare", f"{folder}/demo/sound", f"{folder}/demo/biased", "--out", f"{folder}/compare.html"],
        ["diagnose", *corrupted, "--out", f"{folder}/corruptions"],
        ["edit", *sheet, "--out", f"{folder}/sheet.png"],
        ["view", "--generator", "avatars", "--target", "avatars:mustache", "--out", f"{folder}/seen.png"],
    ]


def main(arguments: Sequence[str]) -> None:
    """Make the pictures of these names in the folder of this file, from audits in the folder named first."""
    folder, names = Path(arguments[0]), arguments[1:] or [*SHOTS, *MADE]
    photos = folder / "photos"
    if not photos.exists():
        photos.mkdir(parents=True)
        for number, picture in enumerate(avatars.sample(40, 1)[0]):
            Image.fromarray(picture).save(photos / f"{number}.png")
    for command in commands(folder):
        if zoom_engine(command):
            raise SystemExit(1)
    for name in names:
        with tempfile.TemporaryDirectory() as work:
            path = folder / MADE[name] if name in MADE else shot(SHOTS[name], folder, Path(work))
            save(Image.open(path).convert("RGB"), HERE / f"{name}.webp")


def shot(wanted: Shot, folder: Path, work: Path) -> Path:
    """Take a picture of a part of a page, which a frame shows that is scrolled there, and return its path."""
    page = (folder / wanted.page).resolve().as_uri()
    (work / "frame.html").write_text(
        f"""<!doctype html><body style="margin:0">
<iframe src="{page}" style="border:0;width:{wanted.width}px;height:{wanted.height}px;display:block"></iframe>
<script>addEventListener("load", () => {{
  const frame = document.querySelector("iframe"), part = frame.contentDocument.querySelector("{wanted.selector}");
  frame.contentDocument.documentElement.style.overflow = "hidden";
  frame.contentWindow.scrollTo(0, part.getBoundingClientRect().top - 12);
}});</script>""",
        encoding="utf-8",
    )
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("there is no chromium: install one")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--allow-file-access-from-files"]
    size = [f"--window-size={wanted.width},{wanted.height}", f"--force-device-scale-factor={SCALE}"]
    made = work / "shot.png"
    subprocess.run(
        [browser, *options, *size, "--virtual-time-budget=3000", f"--screenshot={made}", f"{work.as_uri()}/frame.html"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return made


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture as WebP, of the best quality that keeps it small."""
    for quality in (90, 80, 70, 60, 50):
        picture.save(path, quality=quality, method=6)
        if path.stat().st_size <= LARGEST:
            return
    raise SystemExit(f"{path} cannot be made smaller than {LARGEST} bytes: show less")


if __name__ == "__main__":
    main(sys.argv[1:])
