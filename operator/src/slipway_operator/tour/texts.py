"""What a lesson says, in both languages."""

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class Declared(BaseModel):
    """A part of a ``lesson.toml``: what it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Text(Declared):
    """The same in both languages."""

    en: str = Field(min_length=1, max_length=1000)
    zh: str = Field(min_length=1, max_length=1000)

    def in_(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en
