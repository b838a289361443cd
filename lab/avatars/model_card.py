"""``python -m lab.avatars.model_card QUALITY.json [BENCHMARK.json]``: MODEL_CARD.md from measured figures.

Every number of the card comes from ``python -m lab.avatars.evaluate --json QUALITY.json`` and
``python -m lab.avatars.benchmark --json BENCHMARK.json``.
"""

from __future__ import annotations

from typing import Any

from lab.model_card import (
    benchmark_section,
    edits_section,
    environments_section,
    generator_section,
    percent,
    table,
    targets_section,
    tasks_section,
    text_section,
    write_card,
)
from zoom_engine.domains.avatars.weights import WEIGHTS

CARD = WEIGHTS.parent / "MODEL_CARD.md"

INTRODUCTION = """# Model card: the avatars

An embedded domain of parametric faces: nothing is downloaded, and the truth is known. The renderer, the training recipes and all weights are ours;
no person's picture was used. The engine treats the domain as any user's: it never sees the renderer's parameters.

![Left half: renders. Right half: samples of the generator](pictures/avatars.webp)

| model | file | recipe |
| --- | --- | --- |
| generator | `weights/generator.safetensors` | StyleGAN2 (1.9 M parameters), distilled from the renderer: `python -m lab.avatars.train generator`; no adversarial phase, learned noise constants |
| text encoder | `weights/text/` | an open_clip CLIP (modified ResNet, 3-layer text tower): `… train text`, then `… train words` for other forms of its words |
| targets | `weights/targets/` | small CNNs, four sound and four with a planted bias: `… train targets`; for other tasks: `… train tasks` |
| probe | `lab/avatars/probe.safetensors` | multi-attribute CNN, the judge that no search sees: `… train probe` |

**Intended use**: demonstration, tests and benchmarks of zoom-engine. **Not** for statements about real faces: attributes such as `male` or `old` name
drawing parameters, and their ties (beards with men, grey hair with age) were chosen by us.

**Known limits**: faces dissolve towards ±30. The text encoder reads the words of its training alone (`zoom-engine words avatars`); prompts with others are
refused. It and the probe were trained on renders whose hair, fringe and beard moved their texture with the head; now the texture keeps its place.
Setting long hair, curly hair or bangs gives a bald head hair in the renderer; no edit along these words does, so audits report less there than the truth.
"""

TRAINED = "Trained on renders alone, in which age, gender, mustache, eyeglasses, smile, beard and pale skin were set by chance."

TOLD = (
    "Two were trained on wrong labels on purpose. Faces with eyeglasses: eyes and brows a quarter of the pupils' distance too low. Faces with long hair: eyes,"
    " brows and mouth labelled as skin. Errors are on renders that training never saw, against the truth; effects as above, by the task's own change in [0, 1]"
    " (an edit may rightly move areas and points: long hair is a larger area of hair)."
)


def model_card(quality: dict[str, Any], benchmark: dict[str, Any] | None) -> str:
    """The card's Markdown."""
    parts = [
        INTRODUCTION,
        text_section(quality["text"]) + _word_forms(quality["text"]["word_forms"]),
        generator_section(quality["generator"]),
        edits_section(quality["edits"], "faces"),
        targets_section(quality["targets"], "avatars", TRAINED),
    ]
    if "tasks" in quality:
        parts.append(tasks_section(quality["tasks"], "avatars", TOLD))
    parts.append(benchmark_section(benchmark, "avatars"))
    parts.append(environments_section(quality["environments"]))
    return "\n".join(parts)


def _word_forms(figures: dict[str, dict[str, dict[str, float]]]) -> str:
    rows = [
        [name, len(pairs), percent(min(row["accuracy"] for row in pairs.values())), _least_alike(pairs)]
        for name, pairs in figures.items()
    ]
    count = sum(len(pairs) for pairs in figures.values())
    return (
        f'\nOther forms of these words (`avatars/word_forms.py`), {count} pairs of prompts such as "a face with a smile" and "a face without a'
        " smile\": their accuracy on the same renders, and the cosine between the edit direction (regression) of each and that of the attribute's own prompt."
        ' Falls short: the denials of `smiling`, `bald`, `angry` and `old` ("a face without a smile", "not old") are told from the positive, but'
        ' give no edit direction of their own: use the positive, or an opposite such as "a serious face". "A big smile" is read as big eyes.\n\n'
        + table(["attribute", "pairs", "lowest accuracy, %", "least cosine of directions"], rows)
    )


def _least_alike(pairs: dict[str, dict[str, float]]) -> str:
    pair, row = min(pairs.items(), key=lambda item: item[1]["cosine"])
    return f"{row['cosine']:.2f} ({pair})"


if __name__ == "__main__":
    write_card(CARD, model_card)
