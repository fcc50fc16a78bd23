"""Statistics of repeated measures: the unit is the image, never the token, the layer or the head.

Plain numpy in, plain numpy out; `rows` turns results into what is written. A quantity that cannot be tested is NaN with a reason.
"""
