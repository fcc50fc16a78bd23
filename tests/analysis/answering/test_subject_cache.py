"""A subject that all methods of a run share."""

import pickle

from analysis.answering.answering import Answering
from analysis.answering.subject_cache import SharedAnswering, SubjectCache
from kvsmooth import KVSmooth


def test_makers_share_what_one_of_them_has_loaded():
    kept = SubjectCache()
    baseline, smoothed = (SharedAnswering(Answering(method=method, max_new_tokens=4), kept)() for method in (None, KVSmooth()))
    assert baseline.subject is smoothed.subject
    assert (baseline.answering.method, smoothed.answering.method) == (None, KVSmooth())
    assert SharedAnswering(Answering(dtype="bfloat16"), kept)().subject is not baseline.subject
    assert SharedAnswering(Answering(), SubjectCache())().subject is not baseline.subject


def test_a_maker_crosses_processes_without_its_subject():
    kept = SubjectCache()
    maker = SharedAnswering(Answering(max_new_tokens=4), kept)
    own = maker()
    sent = pickle.dumps(maker)
    assert len(sent) < 2000
    other = pickle.loads(sent)()
    assert other.subject is not own.subject
    assert other.subject.revision == own.subject.revision
