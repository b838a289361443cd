"""One run: models, measurements, the search of images, the gallery."""
