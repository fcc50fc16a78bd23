"""How scores become rates: the paper's rule and the controls without which nothing is known of its guidance. Listed in `POLICIES`."""

from kvsmooth.policies.constant import Constant
from kvsmooth.policies.first_pass import FirstPass
from kvsmooth.policies.inverse import Inverse
from kvsmooth.policies.mean import Mean
from kvsmooth.policies.percentile import Percentile
from kvsmooth.policies.permuted import Permuted
from kvsmooth.policies.policy import Policy, PolicySetting, Rates
from kvsmooth.policies.position import Position
from kvsmooth.policies.random_draw import Random
from kvsmooth.policies.shifted import Shifted
from kvsmooth.policies.swapped import Swapped
from kvsmooth.policies.token_class import TokenClass
from kvsmooth.policies.top import Top

_ALL: tuple[type[Policy], ...] = (Percentile, Constant, Mean, Permuted, Shifted, Swapped, Inverse, Random, Position, TokenClass, Top)
POLICIES: dict[str, type[Policy]] = {policy.name: policy for policy in _ALL}

__all__ = [
    "POLICIES",
    "Constant",
    "FirstPass",
    "Inverse",
    "Mean",
    "Percentile",
    "Permuted",
    "Policy",
    "PolicySetting",
    "Position",
    "Random",
    "Rates",
    "Shifted",
    "Swapped",
    "TokenClass",
    "Top",
]
