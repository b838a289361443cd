"""The layers of a portrait, each a function that paints one part on a canvas."""
