"""An audit's folder alone is enough to continue it: without the cache, and with another number of threads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from zoom_engine import Diagnoser
from zoom_engine.audit.folder import DIRECTIONS, MEASURED
from zoom_engine.common.errors import AuditError
from zoom_engine.directions import EditDirections

pytestmark = [pytest.mark.slow(40), pytest.mark.ci]

OPTIONS: dict[str, Any] = {
    "generator": "avatars",
    "target": "avatars:mustache-biased-smiling",
    "attributes": ["a smiling face", "a face with pale skin"],
    "random_directions": 8,
    "precision": "fp32",
}


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audits")
    Diagnoser(**OPTIONS, cache=folder / "cache").run(seed=4, out=folder / "audit")
    return folder / "audit"


def halved(audit: Path, to: Path) -> list[bytes]:
    """Copy an audit that was stopped halfway; returns its lines."""
    shutil.copytree(audit, to)
    (to / "summary.json").unlink()
    lines = (audit / "records.jsonl").read_bytes().splitlines(keepends=True)
    (to / "records.jsonl").write_bytes(b"".join(lines[: len(lines) // 2]))
    return lines


def test_it_continues_without_its_cache(audit: Path, tmp_path: Path) -> None:
    lines = halved(audit, tmp_path / "audit")
    Diagnoser(**OPTIONS, cache=tmp_path / "empty").run(seed=4, out=tmp_path / "audit")
    assert sorted((tmp_path / "audit" / "records.jsonl").read_bytes().splitlines(keepends=True)) == sorted(lines)


def test_with_other_threads_the_rest_is_equal_to_rounding(audit: Path, tmp_path: Path) -> None:
    lines = halved(audit, tmp_path / "audit")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        Diagnoser(**OPTIONS, cache=tmp_path / "empty").run(seed=4, out=tmp_path / "audit")
    finally:
        torch.set_num_threads(threads)
    after = (tmp_path / "audit" / "records.jsonl").read_bytes().splitlines(keepends=True)
    assert after[: len(lines) // 2] == lines[: len(lines) // 2]

    def by_trial(written: list[bytes]) -> dict[tuple[Any, ...], dict[str, Any]]:
        records = map(json.loads, written)
        return {(record["image"], record["attribute"], record.get("baseline")): record for record in records}

    before, now = by_trial(lines), by_trial(after)
    assert before.keys() == now.keys()
    for trial, record in before.items():
        assert now[trial]["change"] == pytest.approx(record["change"], abs=1e-3)
        assert now[trial]["edit_weights"] == pytest.approx(record["edit_weights"], abs=0.05)
    verdicts = [
        [(row["attribute"], row["verdict"], row["images"]) for row in json.loads(text.read_text())["sensitivity"]]
        for text in (audit / "summary.json", tmp_path / "audit" / "summary.json")
    ]
    assert verdicts[0] == verdicts[1]


def test_directions_that_are_not_the_manifests_are_not_used(audit: Path, tmp_path: Path) -> None:
    lines = halved(audit, tmp_path / "audit")
    path = tmp_path / "audit" / MEASURED / DIRECTIONS
    directions = EditDirections.load(path)
    other = EditDirections(**{**vars(directions), "matrix": directions.matrix.flip(0)})
    other.save(path)
    Diagnoser(**OPTIONS, cache=audit.parent / "cache").run(seed=4, out=tmp_path / "audit")
    assert sorted((tmp_path / "audit" / "records.jsonl").read_bytes().splitlines(keepends=True)) == sorted(lines)
    path.write_bytes(b"not safetensors")
    (tmp_path / "audit" / "summary.json").unlink()
    with pytest.raises(AuditError, match="holds an audit with other settings"):
        Diagnoser(**OPTIONS, cache=tmp_path / "empty").run(seed=4, images=3, out=tmp_path / "audit")
