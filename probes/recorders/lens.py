"""How close each object is to being the next word: its logit, log-probability and rank at every step."""

from probes.command.cli import BadInput
from probes.objects import ObjectVocabulary
from probes.recorders.recorder import Recorder
from probes.tracing.steps import GenerationSetting, Step


class Lens(Recorder):
    """Logit, log-probability and rank of every object of the vocabulary among the candidates for the next token.

    An object is looked for by the first token of its forms (singular, plural): the logit is that of the likeliest, the log-probability
    is of all of them together. A first token may begin other words too, and a name of several tokens can fail after it: the attribute
    `objects` lists which objects share one, and `probes.fork` measures whole names.
    """

    name = "lens"
    needs = frozenset({"logits", "objects"})
    variables = ("object_logit", "object_logprob", "object_rank")

    def __init__(self, setting: GenerationSetting):
        super().__init__(setting)
        self.objects = wanted_objects(setting, self.name)

    def reduce(self, step: Step):
        """Values of the step's own logits, "row object"."""
        return dict(zip(self.variables, self.objects.of(step.logits), strict=True))


def wanted_objects(setting: GenerationSetting, name: str) -> ObjectVocabulary:
    """The objects to look for.

    Raises
    ------
    BadInput : there are none, or the tokenizer can say none of them
    """
    if setting.objects is None or len(setting.objects.unsayable) == len(setting.objects.names):
        why = "none are given" if setting.objects is None or not setting.objects.names else "the tokenizer can say none of them"
        raise BadInput(f'recorder "{name}" looks for objects, and {why}; give the subject forms that its tokenizer knows (Subject.forms).')
    return setting.objects
