"""A network that was taught to look at brightness is found to, and its twin that was not is not."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lab.published.audits import told_of
from zoom_engine import Diagnoser

IMAGES = 24
OTHERS = ("contrast", "blur", "rotation")


@pytest.fixture
def corruptions() -> ModuleType:
    import corruptions  # its folder is on the path for a test at a time

    return corruptions


def test_fewer_pictures_are_not_audited_among_those_of_before(
    corruptions: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audits: list[tuple[Path, int]] = []
    monkeypatch.setattr(corruptions, "write_target", lambda *_: None)
    monkeypatch.setattr(corruptions.Diagnosis, "load", lambda _: None)
    monkeypatch.setattr(corruptions, "told_of", lambda _: [])
    monkeypatch.setattr(
        corruptions,
        "audited",
        lambda photographs, model, out: audits.append((out, len([*photographs.iterdir()]))) or {},
    )
    for images in (3, 2):
        given = ["--out", str(tmp_path), "--json", str(tmp_path / "a.json"), "--images", str(images)]
        monkeypatch.setattr("sys.argv", ["corruptions", *given])
        corruptions.main()
    assert [count for _, count in audits] == [3, 3, 2, 2]
    assert len({out for out, _ in audits}) == 4


@pytest.mark.ci
@pytest.mark.slow(6)
def test_brightness_comes_first_where_it_was_taught_and_is_not_sensitive_where_it_was_not(
    corruptions: ModuleType, tmp_path: Path
) -> None:
    corruptions.write_photographs(tmp_path / "photographs", IMAGES)
    verdicts = {}
    for kind in corruptions.KINDS:
        corruptions.write_target(kind, tmp_path / f"{kind}.onnx", count=160, steps=160)
        options: dict[str, Any] = {"photos": tmp_path / "photographs", "target": tmp_path / f"{kind}.onnx"}
        diagnosis = Diagnoser(editor="corruptions", attributes=["brightness", *OTHERS], **options).run()
        rows = told_of(diagnosis)
        verdicts[kind] = {row["attribute"]: row["verdict"] for row in rows}
        if kind == "brightness":
            assert rows[0]["attribute"] == "brightness"
            assert rows[0]["interval"][0] > 2 * rows[1]["change"] / 1.5
    assert verdicts["brightness"]["brightness"] == "sensitive"
    assert verdicts["sound"]["brightness"] != "sensitive"
