"""Methods of others under one rule: strengths chosen on validation scenes, judged once on test scenes. `python -m analysis.methods`."""
