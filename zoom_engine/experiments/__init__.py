"""Experiments: what the engine shows about itself, as commands."""

EXPERIMENTS = {
    "traversal": "Each attribute over several images, from edit weight −30 to 30 (Fig. 9, 10)",
    "combination": "Two attributes on a grid, and whether their edits add up (Fig. 8)",
    "threshold": "What the threshold λ of edit directions does, with and without normalisation (Fig. 7)",
}
"""What each experiment shows, in the order of a report; the file of its name, with _ for -, has the `EXPERIMENT`."""
EVERY = "all"
EMBEDDED = ("avatars", "pets")
"""The domains that experiments are made on where no generator is named."""
