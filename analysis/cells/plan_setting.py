"""The facts about method and subject that a plan of cells depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PlanSetting:
    """What plans must know of the method and the subject.

    Parameters
    ----------
    lambda_ref : of the paper's cell and of all that do not vary it
    margin : half width of the paper's clip
    layers : decoder layers of the subject
    detectors : options of the detectors that cannot be built without, such as channels and token ids of the subject
    """

    lambda_ref: float
    layers: int
    margin: float = 0.2
    detectors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def ceiling(self) -> float:
        """The largest rate that the paper's rule gives."""
        return min(1.0, round(self.lambda_ref + self.margin, 12))

    def score(self, name: str) -> dict[str, Any]:
        """Options of `KVSmooth` that drive it by a detector."""
        given = dict(self.detectors.get(name, {}))
        return {"score": name} | ({"score_options": given} if given else {})

    def policy(self, name: str) -> dict[str, Any]:
        """Options of `KVSmooth` that drive it by a policy; rates that the policy wants are those of the paper's rule."""
        needed = {"constant": {"rate": self.lambda_ref}, "top": {"q": 0.3, "rate": self.ceiling}}.get(name)
        return {"policy": name} | ({"policy_options": needed} if needed else {})
