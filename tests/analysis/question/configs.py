"""Every question's options."""

import importlib

CONFIGS = {
    "drift": "analysis.drift.__main__:DriftConfig",
    "sinks": "analysis.sinks.__main__:SinksConfig",
    "mediation": "analysis.mediation.config:MediationConfig",
    "logits": "analysis.logits.__main__:LogitsConfig",
    "coupling": "analysis.coupling.__main__:CouplingConfig",
    "entropy": "analysis.entropy.__main__:EntropyConfig",
    "onset": "analysis.onset.__main__:OnsetConfig",
    "ablation": "analysis.ablation.config:AblationConfig",
    "sensitivity": "analysis.sensitivity.config:SensitivityConfig",
}


def config_of(question):
    """The class of its options."""
    module, _, name = CONFIGS[question].partition(":")
    return getattr(importlib.import_module(module), name)
