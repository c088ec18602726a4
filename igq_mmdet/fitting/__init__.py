"""From statistics to bounds: what more than one method uses.

Imports: quantizers.
"""
