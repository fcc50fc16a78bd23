"""A language model behind an OpenAI-compatible address: a server in a thread that speaks the protocol, fails, stalls and lies."""

import json
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from analysis.metrics.extractor_chat import Passing, listed
from analysis.metrics.extractor_openai import OpenAIExtractor
from analysis.metrics.halbench import HalBench
from analysis.metrics.metric import Answer
from probes.command.cli import BadInput
from tests.processes import PATIENCE, until


class Service:
    """What the server does with each request: `replies` by what the answer holds, each a list of (status, content) in order; an answer with
    a gate is replied to when that is open."""

    def __init__(self):
        self.asked: list[dict] = []
        self.keys: list[str | None] = []
        self.replies: dict[str, list[tuple[int, str]]] = {}
        self.counted: Counter[str] = Counter()
        self.moved: list[str | None] = []
        self.gates: dict[str, threading.Event] = {}
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.asked.append(body | {"path": self.path})
                service.keys.append(self.headers.get("Authorization"))
                for mark, gate in service.gates.items():
                    if mark in body["messages"][0]["content"]:
                        gate.wait(PATIENCE)
                status, content = service.reply(body["messages"][0]["content"])
                self.send_response(status)
                self.send_header("Retry-After", "0")
                if status == 302:
                    self.send_header("Location", f"{service.url}/elsewhere")
                self.end_headers()
                self.wfile.write(content.encode())

            def do_GET(self):
                service.moved.append(self.headers.get("Authorization"))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(said("[]")[1].encode())

            def log_message(self, *_):
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def reply(self, message: str) -> tuple[int, str]:
        for mark, replies in self.replies.items():
            if mark in message:
                self.counted[mark] += 1
                return replies[min(self.counted[mark], len(replies)) - 1]
        return said('["dog", "cat"]')


def said(content: str) -> tuple[int, str]:
    return 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]})


@pytest.fixture
def service():
    made = Service()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def extractor(service, **options) -> OpenAIExtractor:
    return OpenAIExtractor(service.url, "tiny", **{"pause": 0.0, "tries": 3, **options})


ANSWERS = [Answer(1, "There is a dog and {braces} here."), Answer(2, "There is a horse on the hill.")]


def test_what_is_asked_and_that_it_is_asked_once(service, tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "secret")
    service.replies = {"horse": [said('Sure:\n["horse",\n "hill"]')]}
    asking = extractor(service, kept=tmp_path / "k" / "kept.jsonl", key_from="SOME_KEY", questions={1: "What is {answer}?"})
    assert asking.objects(ANSWERS) == [["dog", "cat"], ["horse", "hill"]]
    assert {body["path"] for body in service.asked} == {"/v1/chat/completions"}
    assert {(body["model"], body["temperature"]) for body in service.asked} == {("tiny", 0.2)}
    messages = sorted(body["messages"][0]["content"] for body in service.asked)
    assert any("Question: What is {answer}?\nAnswer: There is a dog and {braces} here." in message for message in messages)
    assert any("Question: Describe this image.\nAnswer: There is a horse" in message for message in messages)
    assert {body["messages"][0]["role"] for body in service.asked} == {"system"}
    assert set(service.keys) == {"Bearer secret"}
    assert "secret" not in repr(asking)
    # again, and with one more answer: only that one is asked for
    more = Answer(3, "A cat sits on the mat there.")
    assert asking.objects([*ANSWERS, more, more])[2:] == [["dog", "cat"]] * 2
    assert len(service.asked) == 3
    # another model, temperature or prompt is another question
    extractor(service, kept=tmp_path / "k" / "kept.jsonl", key_from="SOME_KEY", temperature=0.0).objects(ANSWERS[1:])
    assert len(service.asked) == 4


def test_the_whole_metric_with_a_model(service):
    metric = HalBench({1: frozenset({"dog"}), 2: frozenset({"horse"})}, extractor(service, prompt="{question} {answer} Reply!"))
    records = metric.records([*ANSWERS, Answer(1, "No, nothing.")])
    assert [[(m.word, m.hallucinated) for m in record.mentions] for record in records] == [
        [("dog", False), ("cat", True)],
        [("dog", True), ("cat", True)],
        [],
    ]
    assert metric.mode.startswith("tiny (prompt ")
    assert metric.mode.endswith("temperature 0.2), bundled words")
    assert len(service.asked) == 2  # the short answer is not asked about


@pytest.mark.parametrize(
    "first",
    [(429, "slow down"), (503, ""), (200, "{}"), (200, "no json"), said("no list"), said('{"dog": 1}'), said("[1, 2]"), said('["dog"')],
)
def test_what_may_pass_is_tried_again(service, first):
    service.replies = {"horse": [first, first, said('["horse"]')]}
    assert extractor(service).objects(ANSWERS)[1] == ["horse"]
    assert service.counted["horse"] == 3


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ((500, "broken"), r"tiny gave no list of objects in 3 tries \(status 500: broken\); what it answered before is kept in"),
        (said("I would rather not."), r"no JSON list of names: I would rather not\."),
        ((401, '{"error":\n"no key"}'), r"refused with status 401 \(\{\"error\": \"no key\"\}\); set the environment variable of the key"),
        ((404, ""), "refused with status 404"),
        ((302, ""), "refused with status 302"),
    ],
)
def test_a_failure_is_one_line_and_the_work_is_kept(service, tmp_path, reply, told):
    service.replies = {"horse": [reply]}
    asking = extractor(service, kept=tmp_path / "kept.jsonl", workers=1)
    with pytest.raises(BadInput, match=told) as error:
        asking.objects(ANSWERS)
    assert "\n" not in str(error.value)
    service.replies = {}
    before = len(service.asked)
    assert asking.objects(ANSWERS) == [["dog", "cat"]] * 2
    assert len(service.asked) == before + 1  # the dog's answer was kept


def test_a_redirection_is_not_followed_and_the_key_stays(service, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    service.replies = {"horse": [(302, "")]}
    with pytest.raises(BadInput, match="refused with status 302"):
        extractor(service).objects(ANSWERS[1:])
    assert (service.keys, service.moved) == (["Bearer secret"], [])


@pytest.mark.parametrize(("key", "sent"), [("secret\n", "Bearer secret"), ("sec\nret", None), ("\u201csecret\u201d", None)])
def test_a_key_that_cannot_be_sent_is_one_line_without_it(service, monkeypatch, key, sent):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    if sent is None:
        with pytest.raises(BadInput, match="the key holds a character that cannot be sent") as error:
            extractor(service).objects(ANSWERS)
        assert "ret" not in str(error.value)
        assert service.asked == []
    else:
        extractor(service).objects(ANSWERS)
        assert set(service.keys) == {sent}


def test_an_answer_with_half_a_character_is_asked_about(service):
    assert extractor(service).objects([Answer(1, "There is a dog \ud83d")]) == [["dog", "cat"]]


def test_an_interrupt_keeps_what_was_answered(service, tmp_path, monkeypatch):
    from analysis.metrics import extractor_openai

    def interrupted(futures):
        yield from [next(real(futures))]
        until(lambda: len(service.asked) == 2)  # or the second, not begun, would be taken back
        raise KeyboardInterrupt

    def ended(*given):
        end(*given)
        second.set()

    real, end, second = extractor_openai.as_completed, extractor_openai._end, threading.Event()
    monkeypatch.setattr(extractor_openai, "as_completed", interrupted)
    monkeypatch.setattr(extractor_openai, "_end", ended)
    service.gates = {"Answer number 1 of": second}  # under way when the interrupt comes, answered when nothing new begins any more
    asking = extractor(service, kept=tmp_path / "kept.jsonl", workers=1)
    many = [Answer(i, f"Answer number {i} of all those.") for i in range(30)]
    with pytest.raises(KeyboardInterrupt):
        asking.objects(many)
    assert len(service.asked) == 2
    assert len((tmp_path / "kept.jsonl").read_text().splitlines()) == 2, "what was under way is kept"
    monkeypatch.setattr(extractor_openai, "as_completed", real)
    assert asking.objects(many) == [["dog", "cat"]] * 30
    assert len(service.asked) == 30


def test_a_line_that_was_cut_off_is_asked_for_again(service, tmp_path):
    path = tmp_path / "kept.jsonl"
    asking = extractor(service, kept=path, workers=1)
    asking.objects(ANSWERS)
    path.write_bytes(path.read_bytes()[:-5])
    assert asking.objects(ANSWERS) == [["dog", "cat"]] * 2
    assert len(service.asked) == 3
    assert len(path.read_text().splitlines()) == 2
    theirs = '{"image_id": 1, "caption": "A dog."}'
    path.write_text(theirs)  # somebody's captions without a line's end, given by mistake
    with pytest.raises(BadInput, match="line 1: no kept answer of a model"):
        asking.objects(ANSWERS)
    assert path.read_text() == theirs
    path.write_text('{"key": 3}\n')
    with pytest.raises(BadInput, match="line 1: no kept answer of a model"):
        asking.objects(ANSWERS)


def test_half_a_character_in_a_reply_is_kept(service, tmp_path):
    service.replies = {"horse": [said('["h\\ud800"]')]}
    asking = extractor(service, kept=tmp_path / "kept.jsonl", workers=1)
    assert asking.objects(ANSWERS)[1] == ["h\ud800"]
    before = len(service.asked)
    assert asking.objects(ANSWERS)[1] == ["h\ud800"]
    assert len(service.asked) == before


def test_nobody_answers(tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening
        asking = OpenAIExtractor(f"http://127.0.0.1:{nobody.getsockname()[1]}/v1", "tiny", tries=2, pause=0.0, timeout=2.0)
        with pytest.raises(BadInput, match=r"in 2 tries \(no answer: .*\); nothing is kept: name a file"):
            asking.objects(ANSWERS[:1])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"url": "file:///etc/passwd"}, "url must be an address"),
        ({"url": "http://[::1/v1"}, "url must be an address"),
        ({"url": "http://there:port/v1"}, "url must be an address"),
        ({"url": "http://me:secret@there/v1"}, "must hold no password"),
        ({"model": ""}, "model must name a model"),
        ({"prompt": "List objects."}, r"prompt must hold \{answer\}"),
        ({"tries": 0}, "tries must be 1 or more; got 0"),
        ({"workers": 0}, "workers must be 1 or more"),
        ({"temperature": -1.0}, "temperature must be 0 or more"),
        ({"timeout": 0.0}, "timeout must be above 0"),
    ],
)
def test_options_that_cannot_be(options, told):
    with pytest.raises(BadInput, match=told):
        OpenAIExtractor(**{"url": "http://localhost:1/v1", "model": "tiny", **options})


def test_lists_in_what_a_model_says():
    assert listed('["dog"]') == ["dog"]
    assert listed('Objects:\n```json\n["dog", "cat"]\n```') == ["dog", "cat"]
    assert listed("[]") == listed(" () ") == []
    with pytest.raises(Passing):
        listed("")
