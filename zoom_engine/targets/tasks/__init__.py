"""What a target predicts: one file per task."""
