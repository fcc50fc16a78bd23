"""What things cost: KVSmooth and recording, statistics of a prompt, scoring, a second worker. `python -m analysis.efficiency`."""
