"""Finished audits in other programs: MLflow, model cards, pytest, data sets."""
