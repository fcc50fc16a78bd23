"""A model is smoothed while it decodes: whose attention runs, which pass decodes, where the newest row lies, what is written there."""
