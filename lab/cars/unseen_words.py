"""How people say it whose words no caption holds: the measure of what a text encoder makes of ordinary English.

Three wordings of each attribute, each beside its opposite, written before any training, which never reads them.
"""

from __future__ import annotations

from lab.captions import wording_pairs

_SAID = {
    "compact": "a tiny city runabout / a long limousine; a supermini / a large wagon; easy to park / a bulky truck",
    "saloon": "a four-door with a boot / an all-terrain wagon; a notchback / a fastback coupe; a taxi / a van",
    "estate": "a tourer with room for a pram / a two-seater; a shooting brake / a coupe; a long hauler / a buggy",
    "suv": "a 4x4 / a low coupe; a tall crossover / a flat racer; a land cruiser / a city runabout",
    "sports": "a fast coupe / a slow van; a ferrari / a taxi; a low-slung racer / a people carrier",
    "red": "crimson lacquer / pale lacquer; like a fire engine / like the sea; scarlet bodywork / any other hue",
    "white": "ivory bodywork / dark bodywork; like milk / like coal; snow-coloured / colourful",
    "black": "ebony bodywork / pale bodywork; like coal / like milk; inky lacquer / bright lacquer",
    "two_tone": "sills contrast with doors / the same hue all over; bicolour / unicolour; half and half / uniform",
    "big_wheels": "huge tyres / tiny tyres; oversized alloys / undersized alloys; like a monster truck / like a pram",
    "roof_rack": "ready for skis up there / nothing up there; bars for luggage / a smooth top; a carrier / no carrier",
    "spoiler": "an aerofoil behind / a plain tail; a fin for downforce / nothing on the boot; tuned / a stock tail",
    "open_top": "a cabriolet / a coupe; a convertible / a hardtop; fresh air above / a lid over their heads",
    "driver": "a man behind the steering column / an abandoned seat; occupied / unoccupied; a chauffeur / deserted",
    "dirty": "splattered by mud / freshly washed; grimy / gleaming; it needs a wash / polished until it shines",
    "street": "downtown / out of town; parked along a terrace / parked far from homes; urban / the countryside",
    "field": "a rural pasture / tarmac; green countryside / concrete; parked among wildflowers / parked indoors",
    "snow": "a frosty landscape / a warm landscape; january in lapland / july in spain; ice and fir trees / no ice",
    "night": "midnight, headlights on / noon; after sunset / under the sun; a gloomy evening / a bright morning",
}  # fmt: skip

UNSEEN = wording_pairs(_SAID)
