"""What this package is measured against, each in the shape of its own official example.

Every module builds a contestant, as `benchmarks.contestants` describes it, for the same networks,
batch and optimizer. Where an example leaves a choice, the peer gets the cheaper way.
"""
