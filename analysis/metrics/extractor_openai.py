"""Extracts objects from answers by a language model behind an OpenAI-compatible address; one request an answer.

The public Object HalBench asks ``gpt-3.5-turbo-0613`` (retired) at temperature 0.2, its whole question as the system's message. The words
of the question here are this project's own; `OpenAIExtractor.prompt` takes another text, such as that of the public code.
"""

import os
import threading
import urllib.parse
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from analysis.metrics.extractor_cache import ReplyCache
from analysis.metrics.extractor_chat import Passing, chat, listed
from analysis.metrics.metric import Answer
from probes.command.cli import BadInput
from probes.command.provenance import digest

QUESTION = "Describe this image."
"""What is said to have been asked where `OpenAIExtractor.questions` does not know the image, as in the public code."""
PROMPT = """Someone was asked about a photograph. List the objects that, going by the answer, can be seen in the photograph.

Question: {question}
Answer: {answer}

Take the answer for true. List only objects that the answer itself names as present, each by its name alone, without colour, material,
number or other properties. Reply with a JSON list of strings and nothing else, such as ["dog", "wine glass"]; reply [] if there is no
such object."""
LONGEST_PAUSE = 60.0
"""Seconds between two tries, unless the server asks for more."""


@dataclass(frozen=True)
class OpenAIExtractor:
    """A language model that is asked over HTTP; its answers are kept, so that a rerun asks nothing twice.

    Parameters
    ----------
    url
        Of the service, such as ``http://localhost:8000/v1``.
    model
        Its name there.
    kept
        JSON-lines file of what was answered; None keeps nothing.
    questions
        By image id, what the answers answer.
    key_from
        Environment variable that holds the key; no key is sent where it is not set.
    prompt
        With ``{question}`` and ``{answer}``.
    temperature
        From 0 on.
    timeout
        Of one request (s).
    tries
        Requests for one answer before giving up, from 1 on.
    pause
        Before the second try (s), doubled before each further one, at most a minute; longer where the server asks for it.
    workers
        Requests that are under way at once, from 1 on.
    """

    url: str
    model: str
    kept: str | os.PathLike | None = None
    questions: Mapping[int, str] = field(default_factory=dict, repr=False)
    key_from: str = "OPENAI_API_KEY"
    prompt: str = PROMPT
    temperature: float = 0.2
    timeout: float = 60.0
    tries: int = 5
    pause: float = 1.0
    workers: int = 4

    def __post_init__(self):
        try:
            parts = urllib.parse.urlsplit(self.url)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # half an IPv6 address, or a port that is no number
            usable = False
        if not usable:
            raise BadInput(f"OpenAIExtractor.url must be an address such as http://localhost:8000/v1; got {self.url[:80]!r}.")
        if parts.username or parts.password:
            raise BadInput(f"OpenAIExtractor.url must hold no password; put the key into the environment variable {self.key_from}.")
        if not self.model:
            raise BadInput("OpenAIExtractor.model must name a model of the service; it is empty.")
        if "{answer}" not in self.prompt:
            raise BadInput("OpenAIExtractor.prompt must hold {answer}, and may hold {question}.")
        for name, least in (("tries", 1), ("workers", 1), ("temperature", 0), ("pause", 0)):
            if not getattr(self, name) >= least:
                raise BadInput(f"OpenAIExtractor.{name} must be {least} or more; got {getattr(self, name)!r}.")
        if not self.timeout > 0:
            raise BadInput(f"OpenAIExtractor.timeout must be above 0; got {self.timeout!r}.")

    @property
    def name(self) -> str:
        """The model's name, and a mark of the question's words."""
        return f"{self.model} (prompt {digest([self.prompt])[:8]}, temperature {self.temperature:g})"

    def objects(self, answers: Sequence[Answer]) -> list[list[str]]:
        """The objects that the model names for each answer.

        Raises
        ------
        BadInput : the service refuses or fails `tries` times; what it answered before is kept
        """
        messages = [self._message(answer) for answer in answers]
        keys = [digest([self.model, f"{self.temperature!r}", message]) for message in messages]
        with ReplyCache(self.kept) as kept:
            todo = {key: message for key, message in zip(keys, messages, strict=True) if key not in kept}
            self._ask_all(todo, kept)
            return [kept[key] for key in keys]

    def _ask_all(self, todo: Mapping[str, str], kept: ReplyCache) -> None:
        from tqdm import tqdm

        stop, failed = threading.Event(), None
        with ThreadPoolExecutor(self.workers) as pool:
            asked = [pool.submit(self._ask, key, message, kept, stop) for key, message in todo.items()]
            try:
                for future in tqdm(as_completed(asked), total=len(asked), desc=f"objects by {self.model}", disable=None):
                    try:
                        future.result()
                    except CancelledError:
                        continue
                    except BadInput as error:
                        failed = failed or error
                        _end(asked, stop)
            finally:
                # also on an interrupt: what is under way is kept, nothing new begins
                _end(asked, stop)
        if failed:
            raise failed

    def _ask(self, key: str, message: str, kept: ReplyCache, stop: threading.Event) -> None:
        body = {"model": self.model, "temperature": self.temperature, "messages": [{"role": "system", "content": message}]}
        why = "it was not asked"
        for trial in range(self.tries):
            if stop.is_set():
                return
            try:
                kept.put(key, listed(chat(self.url, body, os.environ.get(self.key_from, ""), self.timeout)))
                return
            except Passing as error:
                why = str(error)
                if trial < self.tries - 1:
                    stop.wait(max(error.wait, min(self.pause * 2**trial, LONGEST_PAUSE)))
        raise BadInput(f"{self.url}: {self.model} gave no list of objects in {self.tries} tries ({why}); {kept.told}.")

    def _message(self, answer: Answer) -> str:
        # not str.format: prompts and answers may hold braces
        question = self.questions.get(answer.image_id, QUESTION)
        message = answer.text.join(part.replace("{question}", question) for part in self.prompt.split("{answer}"))
        # half a character, which a cut JSON text can hold, is in no UTF-8
        return message.encode("utf-8", "replace").decode()


def _end(asked: Sequence[Future], stop: threading.Event) -> None:
    stop.set()
    for future in asked:
        future.cancel()
