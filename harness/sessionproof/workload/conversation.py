"""Realistic conversations, made by Faker from a seed."""

from __future__ import annotations

from functools import cache

_CODE = (
    "```python\ndef total(items):\n    return sum(item['price'] for item in items)\n```",
    "SELECT name, COUNT(*) FROM orders WHERE status = 'open' GROUP BY name; -- works?",
    '{"city": "Zürich", "days": 3, "units": "metric"}',
    "| step | done |\n|---|---|\n| 1 | yes |\n\n* then *this*\n",
    "Why does `C++` differ from C#? 50% of 1_000 people said “no”.",
)
_OTHER_SCRIPTS = (
    "東京の天気を教えてください。",
    "مرحبا، كيف يمكنني المساعدة اليوم؟",
    "Привет! Как дела? 👋🏽",
    "¿Qué tal? Ça va? Grüß Gott!",
    "한국어로 답해 주세요 🙏",
)


@cache
def texts(seed: int, number: int = 120) -> tuple[str, ...]:
    """So many texts as people and models write them: questions, answers, code, other scripts."""
    from faker import Faker  # a quarter of the start of a process that makes no texts

    faker = Faker("en_US")
    faker.seed_instance(seed)
    made = [faker.sentence(nb_words=9)[:-1] + "?" for _ in range(number // 2)]
    made += [faker.paragraph(nb_sentences=4) for _ in range(number - len(made))]
    return ("Hello!", *_CODE, *_OTHER_SCRIPTS, *made)


def ascii_words(seed: int) -> str:
    """Realistic words in ASCII, of which each character is a byte: a pool to cut texts from."""
    plain = (text for text in texts(seed) if text.isascii())
    return " ".join(word for text in plain for word in text.split())
