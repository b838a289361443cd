"""An audit as data: what was asked for, what was found, and how it lies on disk. No model and no torch in here."""
