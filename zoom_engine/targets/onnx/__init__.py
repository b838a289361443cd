"""ONNX files as targets, and targets as ONNX files."""
