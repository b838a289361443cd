"""The model card's scatter of truth: each pair of target and attribute, its true effect against what was found."""

from __future__ import annotations

import math
from collections.abc import Mapping

LOWEST, HIGHEST = 1e-4, 1.0  # of both axes, which are logarithmic; smaller values are drawn at the edge
_LEFT, _TOP, _SIDE = 70, 30, 440
_COLOURS = {"planted": "#c2410c", "biased": "#2563eb", "sound": "#0f766e"}
_NAMES = {
    "planted": "planted attribute of a biased target",
    "biased": "other attribute of a biased target",
    "sound": "attribute of a sound target",
}

Table = Mapping[str, Mapping[str, float]]


def truth_scatter(table: Table, effects: Table, planted: Mapping[str, str | None]) -> str:
    """SVG of all pairs in ``found[target][attribute]``; ``planted`` names each target's planted attribute, if any."""
    parts = [_frame()]
    for target, row in table.items():
        for attribute, value in sorted(row.items()):
            kind = "sound" if planted[target] is None else "planted" if planted[target] == attribute else "biased"
            x, y = _place(effects[target][attribute]), _SIDE - _place(value)
            parts.append(
                f'<circle cx="{_LEFT + x:.1f}" cy="{_TOP + y:.1f}" r="{6 if kind == "planted" else 4}"'
                f' fill="{_COLOURS[kind]}" fill-opacity="0.7"><title>{target}, {attribute}: true'
                f" {effects[target][attribute]:.4f}, found {value:.4f}</title></circle>"
            )
    for index, (kind, name) in enumerate(_NAMES.items()):
        y = _TOP + 20 + 20 * index
        parts.append(f'<circle cx="{_LEFT + 18}" cy="{y - 4}" r="5" fill="{_COLOURS[kind]}"/>')
        parts.append(f'<text x="{_LEFT + 30}" y="{y}">{name}</text>')
    width, height = _LEFT + _SIDE + 20, _TOP + _SIDE + 60
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="13" fill="#1f2937" role="img">'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _place(value: float) -> float:
    """Pixels from the axis' low end."""
    value = min(max(value, LOWEST), HIGHEST)
    return _SIDE * math.log(value / LOWEST) / math.log(HIGHEST / LOWEST)


def _frame() -> str:
    """Axes, their ticks and names, and the diagonal of equal values."""
    right, bottom = _LEFT + _SIDE, _TOP + _SIDE
    parts = [f'<line x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{_TOP}" stroke="#9ca3af" stroke-dasharray="5 4"/>']
    tick = LOWEST
    while tick < HIGHEST * 1.001:
        x, y = _LEFT + _place(tick), bottom - _place(tick)
        label = f"≤ {tick:g}" if tick == LOWEST else f"{tick:g}"
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="#e5e7eb"/>')
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{label}</text>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
        tick *= 10
    middle = _LEFT + _SIDE / 2
    parts.append(f'<text x="{middle}" y="{bottom + 42}" text-anchor="middle">true effect, measured on renders</text>')
    parts.append(
        f'<text transform="translate(18 {_TOP + _SIDE / 2}) rotate(-90)" text-anchor="middle">sensitivity that the'
        " audit found</text>"
    )
    return "".join(parts)
