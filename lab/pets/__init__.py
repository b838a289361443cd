"""The pets: their recipes, captions, measurements and card."""
