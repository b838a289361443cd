"""``python -m lab.cars.model_card QUALITY.json [BENCHMARK.json]``: MODEL_CARD.md from measured figures."""

from __future__ import annotations

from lab.model_card import Card, write_card
from zoom_engine.domains.cars.weights import WEIGHTS

CARD = WEIGHTS.parent / "MODEL_CARD.md"

INTRODUCTION = """# Model card: the cars

An embedded domain of drawn cars of five kinds: nothing is downloaded, and the truth is known. The renderer, the training recipes and all weights are ours. The engine treats the domain as any user's: it never sees the renderer's parameters.

![Left half: renders. Right half: samples of the generator](pictures/cars.webp)

| model | file | recipe |
| --- | --- | --- |
| generator | `weights/generator.safetensors` | StyleGAN2 (1.9 M parameters), distilled from the renderer: `python -m lab.cars.train generator`; no adversarial phase, learned noise constants |
| text encoder | `weights/text/` | an open_clip CLIP (modified ResNet, 3-layer text tower): `… train text` |
| targets | `weights/targets/` | small CNNs that tell sports cars from others, one sound and three with a planted bias (`… train targets`); the kind of car, key points of wheels and lamps, sound and weak in snow (`… train tasks`) |
| probe | `lab/cars/probe.safetensors` | multi-attribute CNN, the judge that no search sees: `… train probe` |

**Intended use**: demonstration, tests and benchmarks of zoom-engine. **Not** for statements about real cars: attributes name drawing parameters, and their ties (spoilers and open tops with sports cars, roof racks with estates and off-roaders, big wheels and mud with off-roaders, mud with fields, drivers with streets) were chosen by us. Paint, background and night are tied to no kind of car, so that a bias can be planted on them.

**Known limits**: cars point to the left, and turn by 32 degrees at most. The edit of a street turns them a little: it moves key points by as much as snow does for the target that is weak in it. The text encoder reads the words of its training alone (`zoom-engine words cars`); prompts with others are refused.
"""

TRAINED = "Trained on renders alone, in which sports cars, red, two-tone, big wheels, spoiler, open top, driver, dirt, night, street and snow were set by chance."

TOLD = (
    "One was trained on wrong labels on purpose: of cars in snow, wheels were marked too high by a tenth of the picture, a fifth of the distance between them. Errors are on renders"
    " that training never saw, against the truth; effects as above, by the task's own change in [0, 1] (an edit may rightly move points)."
)

model_card = Card(INTRODUCTION, "cars", "cars", TRAINED, TOLD).markdown

if __name__ == "__main__":
    write_card(CARD, model_card)
