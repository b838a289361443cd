"""The explorer: a page on this machine where attributes are sliders, and the target answers as they move."""
