"""``python -m lab.pets.model_card QUALITY.json [BENCHMARK.json]``: MODEL_CARD.md from measured figures.

Every number of the card comes from ``python -m lab.pets.evaluate --json QUALITY.json`` and
``python -m lab.pets.benchmark --json BENCHMARK.json``.
"""

from __future__ import annotations

from lab.model_card import Card, write_card
from zoom_engine.domains.pets.weights import WEIGHTS

CARD = WEIGHTS.parent / "MODEL_CARD.md"

INTRODUCTION = """# Model card: the pets

An embedded domain of parametric cats and dogs: nothing is downloaded, and the truth is known. The renderer, the training recipes and all weights are
ours. The engine treats the domain as any user's: it never sees the renderer's parameters.

![Left half: renders. Right half: samples of the generator](pictures/pets.webp)

| model | file | recipe |
| --- | --- | --- |
| generator | `weights/generator.safetensors` | StyleGAN2 (1.9 M parameters), distilled from the renderer: `python -m lab.pets.train generator`; no adversarial phase, learned noise constants |
| text encoder | `weights/text/` | an open_clip CLIP (modified ResNet, 3-layer text tower): `… train text` |
| targets | `weights/targets/` | small CNNs that tell cats from dogs, one sound and three with a planted bias: `… train targets` |
| probe | `lab/pets/probe.safetensors` | multi-attribute CNN, the judge that no search sees: `… train probe` |

**Intended use**: demonstration, tests and benchmarks of zoom-engine. **Not** for statements about real animals: attributes name drawing parameters, and
their ties (slit pupils, pointed ears and whiskers with cats, a tongue that hangs out with dogs) were chosen by us. Collar, fur colour and background are
tied to nothing, so that a bias can be planted on them.

**Known limits**: the generator draws long fur smoother than the renderer, and some collars and whiskers half there, as if in between. The text encoder
reads the words of its training alone (`zoom-engine words pets`); prompts with others are refused.
"""

TRAINED = (
    "Trained on renders alone, in which species, ears, stripes, blue eyes, pupils, tongue, nose, whiskers, collar, ginger fur and background were set"
    " by chance."
)


model_card = Card(INTRODUCTION, "pets", "pets", TRAINED).markdown

if __name__ == "__main__":
    write_card(CARD, model_card)
