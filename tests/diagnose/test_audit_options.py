"""The keywords that type checkers know are the fields of the settings; a new field is an option everywhere."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import options_stub
import pytest
import torch

from zoom_engine import Diagnoser, Diagnosers, Discoverer
from zoom_engine.cli import config, init
from zoom_engine.cli.options import options
from zoom_engine.common.errors import ConfigError
from zoom_engine.diagnose.models import Models
from zoom_engine.settings import audit_settings
from zoom_engine.settings.audit_settings import AuditSettings

SOURCE = options_stub.SETTINGS.read_text(encoding="utf-8")
FIELD = '    glow: Literal["dim", "bright"] = option("how bright the pictures are", "dim", decides=True)\n'


def test_the_stub_says_what_the_fields_say() -> None:
    written = options_stub.STUB.read_text(encoding="utf-8")
    assert written == options_stub.stub(SOURCE), "run python tests/options_stub.py"
    assert "| Any" not in written


def test_an_option_of_an_audit_is_one_field(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Type checkers, command line, configuration file, `init`, docstring, settings and manifest know it by that."""
    before = "    mode: Mode = option("
    assert before in SOURCE
    changed = SOURCE.replace(before, FIELD + before)
    assert '    glow: Literal["dim", "bright"]\n'.replace('"', "'") in options_stub.stub(changed)
    module = ModuleType(audit_settings.__name__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(changed, "audit_settings.py", "exec"), module.__dict__)
    settings = module.AuditSettings(generator="avatars", target="avatars:mustache", glow="bright")
    assert settings.deciding()["glow"] == "bright"
    assert "glow: how bright the pictures are." in module.AuditSettings.__doc__
    with pytest.raises(ConfigError, match="option 'glow' must be 'dim' or 'bright', got 'dark'"):
        module.AuditSettings(generator="avatars", target="avatars:mustache", glow="dark")
    (flag,) = options(module.AuditSettings, "glow")
    assert flag.annotation.__metadata__[0].help == "how bright the pictures are"
    monkeypatch.setattr(config, "AuditSettings", module.AuditSettings)
    (tmp_path / "audit.toml").write_text('glow = "bright"')
    assert config.read_config(tmp_path / "audit.toml") == {"glow": "bright"}
    monkeypatch.setitem(init.SECTIONS, "How it is audited, and on what", (module.AuditSettings, None))
    assert tomllib.loads("\n".join(line.removeprefix("# ") for line in init.lines() if "glow =" in line)) == {
        "glow": "dim"
    }


@pytest.mark.parametrize("kind", [Diagnoser, Diagnosers])
@pytest.mark.parametrize("given", ["avatars:mustache", "", torch.nn.Identity(), AuditSettings, {"target": "avatars"}])
def test_a_model_in_the_place_of_the_settings_is_a_line(kind: Any, given: object) -> None:
    with pytest.raises(ConfigError, match=r"^what comes first is an AuditSettings, not \w+: .*by name") as refusal:
        kind(given, generator="avatars", attributes=["a smile"])
    assert "\n" not in str(refusal.value)


def test_an_option_of_a_run_that_there_is_not_is_told_with_what_may_be_meant() -> None:
    for kind in (Diagnoser, Diagnosers, Discoverer):
        with pytest.raises(ConfigError, match=r"^run has no option 'imges'; did you mean 'images'\?$"):
            kind.run(None, imges=3)  # type: ignore[call-arg, arg-type]


def test_a_generator_says_how_many_pictures_it_draws_at_a_time_unless_the_user_does() -> None:
    def batch_size(given: int | None, **says: int) -> int:
        models: Any = SimpleNamespace(settings=SimpleNamespace(batch_size=given), generator=SimpleNamespace(**says))
        return Models.batch_size.fget(models)  # type: ignore[attr-defined, no-any-return]

    assert [batch_size(None), batch_size(None, batch_size=4), batch_size(8, batch_size=4)] == [32, 4, 8]
    with pytest.raises(ConfigError, match="batch size must be at least 1, got 0"):
        AuditSettings(generator="avatars", target="avatars:age", batch_size=0)
