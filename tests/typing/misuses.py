"""Twenty ways to misuse the API, each in a line of its own that ends in "# wrong": a type checker refuses these lines
and no other. Nothing here is run.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from zoom_engine import (
    AuditSettings,
    Diagnoser,
    Diagnosers,
    Discoverer,
    EditDirections,
    find_directions,
    load_generator,
    load_target,
    load_text_encoder,
)

FACES, MODEL = "avatars", "avatars:mustache"
NETWORK = nn.Linear(3, 1)
settings = AuditSettings(generator=FACES, target=MODEL)
generator = load_generator(FACES)
encoder = load_text_encoder("avatars")
directions = EditDirections.load("directions.safetensors")

Diagnoser(generator=FACES, taget=MODEL, target=MODEL)  # wrong
Diagnoser(generator=FACES)  # wrong
Diagnoser(pairs=5, target=NETWORK)  # wrong
Diagnoser(generator=FACES, target=5)  # wrong
Diagnoser(generator=FACES, target=[MODEL])  # wrong
Diagnoser(generator=FACES, target=MODEL, mode="sigle")  # wrong
Diagnoser(generator=FACES, target=MODEL, attributes="a smiling face", batch_size="8")  # wrong
Diagnoser(generator=FACES, target=MODEL, directions=np.zeros((3, 512)))  # wrong
Diagnoser(settings, bach_size=8)  # wrong
Diagnoser(settings, backend="openvio")  # wrong
Diagnoser(settings).run(images=2.5)  # wrong
Diagnoser(settings).run(imges=20)  # wrong
Diagnosers(generator=FACES, target=MODEL)  # wrong
Discoverer(generator=FACES, target=MODEL, attributes=["a smiling face"])  # wrong
Discoverer(generator=FACES, target=MODEL).run(images=64).tabel()  # wrong
AuditSettings(generator=FACES)  # wrong
AuditSettings(generator=FACES, target=MODEL, correction="bonferroni")  # wrong
load_target(NETWORK, kind="logit")  # wrong
load_generator(FACES, output_range=255)  # wrong
find_directions(generator, encoder, ["a smiling face"])  # wrong

Diagnoser(settings)
Diagnoser(pairs="pairs.csv", target=MODEL)
Diagnoser(settings, batch_size=8, directions=directions)
Diagnoser(generator=generator, target=NETWORK, attributes=directions.attributes, search="of-a-package")
Diagnosers(settings, target={"before": MODEL, "after": NETWORK})
Diagnosers(generator=FACES, target=[MODEL, NETWORK])
Discoverer(generator=FACES, target=MODEL, vocabulary="words.txt").run(images=64, out="found").table()
