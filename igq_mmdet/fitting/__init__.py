"""From statistics to bounds: numbers in, numbers out.

Imports: modules, observers, quantizers, spec.
"""
