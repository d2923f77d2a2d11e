"""What this package is measured against, each in the shape of its own official example.

All have the same networks, batch and optimizer; where that leaves a choice, the cheaper way.
"""
