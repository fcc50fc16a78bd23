"""The two arms of a question, and the names under which their comparison stands in a results file."""

CONTROL, TREATED = "baseline", "kvsmooth"
ARMS = (CONTROL, TREATED)
CONTRAST = f"{TREATED} - {CONTROL}"
BAND = "band"  # the mean of the smoothed layers, where a layer number stands otherwise
