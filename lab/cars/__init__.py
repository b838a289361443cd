"""The cars: their recipes, captions, measurements and card."""
