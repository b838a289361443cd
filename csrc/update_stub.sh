#!/usr/bin/env bash
# Writes zoom_engine/_core.pyi, and _cuda.pyi where that was built, from the installed extensions; with --check only
# says whether they are up to date.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
fresh="$(mktemp -d)"
trap 'rm -rf "$fresh"' EXIT
modules=(_core)
if (cd "$fresh" && python -c "import zoom_engine._cuda" 2>/dev/null); then modules+=(_cuda); fi
for module in "${modules[@]}"; do
  (cd "$fresh" && pybind11-stubgen "zoom_engine.$module" --output-dir . --exit-code)
  ruff format --quiet --config "$root/pyproject.toml" "$fresh/zoom_engine/$module.pyi"
  if [[ "${1:-}" == --check ]]; then
    diff -u "$root/zoom_engine/$module.pyi" "$fresh/zoom_engine/$module.pyi" ||
      { echo "zoom_engine/$module.pyi is out of date: run csrc/update_stub.sh" >&2; exit 1; }
  else
    cp "$fresh/zoom_engine/$module.pyi" "$root/zoom_engine/$module.pyi"
  fi
done
