"""Who answers for an audit, what for, and which it is: from the manifest the records, "not given" where nobody said."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from zoom_engine.audit.about import About, sha256_of
from zoom_engine.audit.manifest import Manifest
from zoom_engine.common.errors import AuditError

CONFIG = {"mode": "single", "attributes": ["a hat"], "target": "doors", "target_details": {"content_hash": "ab" * 32}}


def test_what_is_known_is_told_in_the_order_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_bytes(b"{}\n")
    manifest = Manifest.of(
        CONFIG, owner="Mona", purpose="doors", model_version="1.4", begun="2026-01-02T03:04:05+00:00"
    )
    assert About.of(manifest, tmp_path).lines == (
        ("Owner", "Mona"),
        ("Model", "doors"),
        ("Model version", "1.4"),
        ("Model hash", "ab" * 6),
        ("Audited on", "2026-01-02"),
        ("Audit id", hashlib.sha256(b"{}\n").hexdigest()[:12]),
        ("Intended use", "doors"),
    )


def test_what_nobody_said_is_not_given() -> None:
    about = About.of(Manifest.of({"mode": "single", "attributes": ["a hat"]}), None)
    assert {text for _, text in about.lines} == {"not given"}
    assert set(about.to_json().values()) == {None}


def test_the_id_is_that_of_the_records_alone(tmp_path: Path) -> None:
    for name, content in (("a", b"{}\n"), ("b", b"{}\n"), ("c", b"{}\n{}\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "records.jsonl").write_bytes(content)
    one, other, longer = (About.of(Manifest.of(CONFIG, owner=name), tmp_path / name).audit_id for name in "abc")
    assert one == other != longer
    with pytest.raises(AuditError, match=r"cannot read .*records"):
        sha256_of(tmp_path / "none" / "records.jsonl")


def test_what_others_say_is_one_line(tmp_path: Path) -> None:
    about = About.of(Manifest.of({**CONFIG, "target": "a\x1b[2J"}, owner="Mona\n# Risk", purpose="x" * 9999), None)
    assert (about.owner, about.model) == ("Mona # Risk", "a?[2J")
    assert len(about.purpose) <= 300
