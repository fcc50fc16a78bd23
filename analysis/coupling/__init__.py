"""Observation 3: does the entropy of a token's attention row go with the ranks of objects at that step?"""
