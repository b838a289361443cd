#!/usr/bin/env bash
# Writes zoom_engine/_core.pyi from the installed extension; with --check only says whether it is up to date.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
fresh="$(mktemp -d)"
trap 'rm -rf "$fresh"' EXIT
(cd "$fresh" && pybind11-stubgen zoom_engine._core --output-dir . --exit-code)
ruff format --quiet --config "$root/pyproject.toml" "$fresh/zoom_engine/_core.pyi"
if [[ "${1:-}" == --check ]]; then
  diff -u "$root/zoom_engine/_core.pyi" "$fresh/zoom_engine/_core.pyi" ||
    { echo "zoom_engine/_core.pyi is out of date: run csrc/update_stub.sh" >&2; exit 1; }
else
  cp "$fresh/zoom_engine/_core.pyi" "$root/zoom_engine/_core.pyi"
fi
