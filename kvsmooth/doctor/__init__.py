"""`python -m kvsmooth doctor`: what this machine has, and what the method can do with a model, tried."""
