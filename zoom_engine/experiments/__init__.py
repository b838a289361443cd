"""Experiments: what the engine shows about itself, as commands."""

EXPERIMENTS = {
    "traversal": "Each attribute over several images, from edit weight −30 to 30 (Fig. 9, 10)",
    "combination": "Two attributes on a grid, and whether their edits add up (Fig. 8)",
    "threshold": "What the threshold λ of edit directions does, with and without normalisation (Fig. 7)",
    "progress": "Counterfactuals step by step, with the prediction in the corner (Fig. 1, 6)",
    "histograms": "Sensitivities of sound and biased targets side by side (Fig. 4)",
    "truth": "Reported sensitivities against true effects",
    "wording": "Sensitivities by several paraphrases of the same attributes (A.3, Fig. 2)",
    "optimizer": "SGD, PGD and the smallest edit: SSIM and flip rate (Table 2)",
    "tasks": "Key points, areas, labels, classes and numbers (Fig. 3)",
    "user-study": "Pages that ask people, and machines in their place (Table 1, Fig. 5)",
    "training": "Counterfactual training: audit, repair, audit again, beside a control",
}
"""What each experiment shows, in the order of a report; the file of its name, with _ for -, holds its `EXPERIMENT`."""
ALL = "all"
EMBEDDED = ("avatars", "pets", "places", "cars")
"""The domains that experiments use where no generator is named."""
