"""One recorder a file; `RECORDERS` names them."""

from probes.recorders.drift import Drift
from probes.recorders.entropy import Entropy
from probes.recorders.mass import Mass
from probes.recorders.mean_state import MeanState
from probes.recorders.norms import Norms
from probes.recorders.probability import Probability
from probes.recorders.recorder import Recorder
from probes.recorders.smoothing import Smoothing

DEFAULT: tuple[type[Recorder], ...] = (Entropy, Mass, Drift, Norms, Smoothing, Probability)
RECORDERS: dict[str, type[Recorder]] = {recorder.name: recorder for recorder in (*DEFAULT, MeanState)}
DEFAULT_RECORDERS = tuple(recorder.name for recorder in DEFAULT)

__all__ = ["DEFAULT_RECORDERS", "RECORDERS", "Recorder"]
