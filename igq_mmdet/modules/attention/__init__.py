"""Quantized attention, one kind a file."""
