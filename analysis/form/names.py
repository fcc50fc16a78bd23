"""Names that options, arms and words share; nothing here loads a model."""

SHUFFLED = "kvsmooth:rates=shuffled"
"""The arm that applies the rates of KVSmooth's own run in an order that no score chose."""
