"""Imports that take seconds, and how a process ends."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from zoom_engine.common.imports import importing


@pytest.mark.parametrize("collected", [True, False])
def test_what_was_so_before_is_so_afterwards_even_where_an_import_fails(collected: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if collected else gc.disable)()
        with importing():
            assert not gc.isenabled()
            with pytest.raises(ImportError), importing():
                raise ImportError
            assert not gc.isenabled()
        assert gc.isenabled() == collected
    finally:
        (gc.enable if before else gc.disable)()


@pytest.mark.ci
def test_torchs_compiler_is_imported_when_it_is_used() -> None:
    code = (
        "import sys, inspect, torch\n"
        "from zoom_engine.common.imports import importing\n"
        "disable = torch.compiler.disable\n"
        "from zoom_engine import load_text_encoder\n"
        "load_text_encoder('avatars')\n"
        "from zoom_engine import ops\n"
        "picture = torch.ones(1, 3, 4, 4, requires_grad=True)\n"
        "ops.upsample2x(picture).sum().backward()\n"
        "assert 'open_clip' in sys.modules and 'torch._dynamo' not in sys.modules\n"
        "with importing():\n"
        "    @torch.compiler.disable\n"
        "    def plain(x, *, more=0): return x + 1 + more\n"
        "    @torch.compiler.disable(recursive=False)\n"
        "    def called(x): return x * 2\n"
        "assert 'torch._dynamo' not in sys.modules and 'torch._dynamo.utils' not in sys.modules\n"
        "assert torch.compiler.disable is disable\n"
        "from zoom_engine import load_generator, load_target\n"
        "load_generator('avatars'); load_target('avatars:eyeglasses')\n"
        "assert 'torch._dynamo' not in sys.modules\n"
        "from torchvision.ops import roi_align\n"
        "boxes = [torch.tensor([[0.0, 0, 4, 4]])]\n"
        "assert roi_align(torch.ones(1, 3, 8, 8), boxes, 2).eq(1).all()\n"
        "assert plain(1, more=2) == 4 and called(3) == 6 and plain.__name__ == 'plain'\n"
        "from torchvision.ops.roi_align import is_compile_supported\n"
        "assert is_compile_supported('cpu')\n"
        "import torch._dynamo.utils as utils; assert inspect.getsourcefile(utils)\n"
        "compiled = torch.compile(lambda x: called(x + 1), backend='eager')\n"
        "assert compiled(torch.ones(1)) == 4\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_a_process_of_the_command_line_does_not_search_what_it_leaves() -> None:
    code = (
        "import gc, sys; sys.argv = ['zoom-engine', '--version']\n"
        "from zoom_engine.cli import main, run; assert main() == 0; assert not gc.get_freeze_count()\n"
        "code = run(); assert gc.get_freeze_count(); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 2
