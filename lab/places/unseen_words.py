"""How people say it whose words no caption holds: the measure of what a text encoder makes of ordinary English.

Three wordings of each attribute, each beside its opposite. They were written before any text encoder was trained, and
training never reads them.
"""

from __future__ import annotations

from lab.captions import wording_pairs

_SAID = {
    "church": "a minster / a barn; a house of god / a secular hall; where the vicar preaches / a cottage",
    "mosque": "a muslim house of prayer / a barn; minarets and a cupola / a shed; where an imam preaches / a hut",
    "house": "a cottage / a fortress; somebody's home / a monument; a family lives here / nobody lives here",
    "tower": "a belfry of a castle / a bungalow; a turreted lookout / a low barn; battlements / a flat shed",
    "ruin": "a crumbling shell / an intact edifice; collapsed long ago / freshly built; rubble, broken arches / solid",
    "wooden": "made of logs / made of concrete; a cabin of planks / granite; built by carpenters / by masons",
    "brick": "clay masonry in courses / logs; red clinker / whitewash; laid by a bricklayer / sawn by a carpenter",
    "stone": "granite blocks / planks; ashlar masonry / boards; hewn from a quarry / cut in a sawmill",
    "red_roof": "terracotta above / dull shingles above; crimson shingles / leaden ones; scarlet on its crown / ashen",
    "tall_steeple": "a needle into heaven / a stubby cap; its pinnacle soars / squat; a lofty point / a blunt end",
    "cross": "a crucifix / no crucifix; the sign of jesus / a bare pole; a christian emblem aloft / nothing aloft",
    "scaffolding": "being repaired / finished; workmen's poles / an unobstructed facade; under restoration / restored",
    "night": "after midnight / at noon; stars above / glaring light; lamps are lit inside / broad daytime",
    "sunset": "the last rays of daytime / at noon; a glowing orange horizon / a pale horizon; at nightfall / midday",
    "blue_sky": "azure above / clouded; glorious cloudless noon / an overcast afternoon; holiday weather / dreary",
    "fog": "hazy / crystal-clear; hardly visible, milky / sharply visible; swallowed by haze / a far-reaching panorama",
    "rain": "a downpour / parched; pouring cats and dogs / dusty; bring an umbrella / bring sunglasses",
    "snow": "a white christmas / a hot july; frozen and powdery / lawns; skis would be useful / barefoot weather",
    "trees": "among oaks / treeless; shaded by foliage / a bare plain; firs or oaks nearby / nothing grows here",
    "water": "mirrored in a pool / nothing mirrored; on the shore / far from any shore; swans could swim / a meadow",
    "people": "a crowd of tourists / deserted; some strollers / abandoned; a family out for a walk / not a soul",
}  # fmt: skip

UNSEEN = wording_pairs(_SAID)
