"""The avatars: their recipes, captions, measurements and card."""
