"""Quantized layers with one weight."""
