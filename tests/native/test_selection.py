"""Which code runs: environment variables, and a checkout that hides the installed extension."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zoom_engine
from zoom_engine import ops
from zoom_engine.common.errors import BackendError

PACKAGE = Path(zoom_engine.__file__).parent
needs_native = pytest.mark.skipif(not ops.native_available()[0], reason=ops.native_available()[1])


def run(code: str, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` with the installed package, or with the one in `folder`."""
    if folder is not None:
        # An editable install finds its modules before sys.path is asked.
        code = (
            "import sys; "
            "sys.meta_path[:] = [f for f in sys.meta_path if 'ScikitBuild' not in type(f).__name__]; "
            f"sys.path.insert(0, {str(folder)!r}); {code}"
        )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZOOM_ENGINE_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, "OMP_NUM_THREADS": "1", **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def pure_package(tmp_path: Path) -> Path:
    """A folder with a copy of the package that was never compiled."""
    target = tmp_path / "zoom_engine"
    shutil.copytree(PACKAGE / "ops", target / "ops", ignore=shutil.ignore_patterns("__pycache__"))
    (target / "common").mkdir()
    for name in ("__init__.py", *(f"common/{name}.py" for name in ("__init__", "errors", "threads", "version"))):
        shutil.copy(PACKAGE / name, target / name)
    return tmp_path


@pytest.mark.ci
@needs_native
@pytest.mark.parametrize("isa", ops.supported_isas())
def test_isa_is_forced(isa: str) -> None:
    result = run("from zoom_engine import ops; print(ops.isa())", ZOOM_ENGINE_ISA=isa)
    assert result.stdout.strip() == isa, result.stderr


@pytest.mark.ci
@needs_native
def test_unknown_isa_is_an_error() -> None:
    result = run("from zoom_engine import ops", ZOOM_ENGINE_ISA="mmx")
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert "BackendError: instruction set 'mmx' (ZOOM_ENGINE_ISA) cannot run here; use one of:" in last


@needs_native
def test_unknown_isa_leaves_the_choice_alone() -> None:
    before = ops.isa()
    with pytest.raises(BackendError, match="'sse9'"):
        ops.select_isa("sse9")
    assert ops.isa() == before


@pytest.mark.ci
def test_without_the_extension_torch_runs(pure_package: Path) -> None:
    code = (
        "import torch; from zoom_engine import ops; print(ops.native_available()); "
        "x = torch.ones(1, 2, 5, 5, requires_grad=True); "
        "y, _ = ops.modulated_conv2d(x, torch.ones(3, 2, 3, 3), torch.ones(1, 2), up=True); "
        "y.sum().backward(); "
        "print(ops.implementation(x), tuple(y.shape), tuple(x.grad.shape), ops.supported_isas())"
    )
    result = run(code, pure_package)
    assert result.returncode == 0, result.stderr
    assert "False" in result.stdout
    assert "without its compiled extension" in result.stdout
    assert "torch (1, 3, 10, 10) (1, 2, 5, 5) []" in result.stdout
    assert "NativeMissingWarning" not in result.stderr  # a pure-Python install is quiet, `info` tells


@pytest.mark.ci
def test_a_checkout_without_the_extension_says_so(pure_package: Path) -> None:
    (pure_package / "pyproject.toml").touch()
    result = run("from zoom_engine import ops", pure_package)
    assert result.returncode == 0, result.stderr
    assert "NativeMissingWarning" in result.stderr
    assert "pip install -e ." in result.stderr
    assert str(pure_package) in result.stderr


@pytest.mark.ci
def test_required_native_is_an_error(pure_package: Path) -> None:
    result = run("from zoom_engine import ops", pure_package, ZOOM_ENGINE_REQUIRE_NATIVE="1")
    assert result.returncode != 0
    assert "BackendError: ZOOM_ENGINE_REQUIRE_NATIVE is set, but" in result.stderr


@pytest.mark.ci
def test_a_broken_extension_tells_why(pure_package: Path) -> None:
    (pure_package / "zoom_engine" / "_core.py").write_text("raise ImportError('libfoo.so: no such file')\n")
    result = run("from zoom_engine import ops; print(ops.native_available()[1])", pure_package)
    assert "libfoo.so: no such file" in result.stdout, result.stderr
