"""One recorder a file; `RECORDERS` names them."""

from probes.recorders.dependency import Dependency
from probes.recorders.displacement import Displacement
from probes.recorders.drift import Drift
from probes.recorders.entropy import Entropy
from probes.recorders.gain import Gain
from probes.recorders.layer_lens import LayerLens
from probes.recorders.lens import Lens
from probes.recorders.logits import Logits
from probes.recorders.mass import Mass
from probes.recorders.mean_state import MeanState
from probes.recorders.norms import Norms
from probes.recorders.patches import Patches
from probes.recorders.probability import Probability
from probes.recorders.received import Received
from probes.recorders.recorder import Recorder
from probes.recorders.smoothing import Smoothing

DEFAULT: tuple[type[Recorder], ...] = (Entropy, Mass, Drift, Norms, Smoothing, Probability)
FURTHER: tuple[type[Recorder], ...] = (MeanState, Received, Displacement, Logits, Gain, Patches, Dependency, Lens, LayerLens)
RECORDERS: dict[str, type[Recorder]] = {recorder.name: recorder for recorder in (*DEFAULT, *FURTHER)}
DEFAULT_RECORDERS = tuple(recorder.name for recorder in DEFAULT)
SHARED_RECORDERS = tuple(name for name in RECORDERS if name != LayerLens.name)
"""Of the recordings that several questions read: all but the lens by layer, whose values would outnumber all others."""

__all__ = ["DEFAULT_RECORDERS", "RECORDERS", "SHARED_RECORDERS", "Recorder"]
