"""Files that appear whole, grow line by line and survive a kill.

Imports: errors.
"""
