"""``python -m lab.places.model_card QUALITY.json [BENCHMARK.json]``: MODEL_CARD.md from measured figures."""

from __future__ import annotations

from lab.model_card import Card, write_card
from zoom_engine.domains.places.weights import WEIGHTS

CARD = WEIGHTS.parent / "MODEL_CARD.md"

INTRODUCTION = """# Model card: the places

An embedded domain of buildings in a landscape, drawn in any weather: nothing is downloaded, and the truth is known. The renderer, the training recipes and all
weights are ours. The engine treats the domain as any user's: it never sees the renderer's parameters.

![Left half: renders. Right half: samples of the generator](pictures/places.webp)

| model | file | recipe |
| --- | --- | --- |
| generator | `weights/generator.safetensors` | StyleGAN2 (1.9 M parameters), distilled from the renderer: `python -m lab.places.train generator`; no adversarial phase, learned noise constants |
| text encoder | `weights/text/` | an open_clip CLIP (modified ResNet, 3-layer text tower): `… train text` |
| targets | `weights/targets/` | small CNNs that tell churches from other buildings, one sound and three with a planted bias (`… train targets`); the kind of building; what is sky, ground and building, sound and weak at night (`… train tasks`) |
| probe | `lab/places/probe.safetensors` | multi-attribute CNN, the judge that no search sees: `… train probe` |

**Intended use**: demonstration, tests and benchmarks of zoom-engine. **Not** for statements about real buildings: attributes name drawing parameters, and their
ties (a cross and a tall steeple with churches, wood and red roofs with houses, stone with ruins and towers, firs with snow, fog with water, no people in the
rain) were chosen by us. Snow, trees and night are tied to no kind of building, so that a bias can be planted on them.

**Known limits**: every building has a turret, on which cross and steeple stand, whatever its kind; clouds and trees stand where they always stand. The edit of the
night does more than the night: it moves the sound church classifier by 0.08 and the sound areas by 0.12, where the night itself moves them by 0.01 and 0.05. The text
encoder reads the words of its training alone (`zoom-engine words places`); prompts with others are refused.
"""

TRAINED = "Trained on renders alone, in which churches, cross, steeple, red roof, scaffolding, snow, night, fog, trees, water and people were set by chance."
TOLD = (
    "One was trained on wrong labels on purpose: at night, buildings were marked as sky. Errors are on renders that training never saw, against the truth;"
    " effects as above, by the task's own change in [0, 1] (an edit may rightly change areas: a tall steeple is a larger building)."
)

model_card = Card(INTRODUCTION, "places", "places", TRAINED, TOLD).markdown

if __name__ == "__main__":
    write_card(CARD, model_card)
