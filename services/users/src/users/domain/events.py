"""What happens to users, in the past tense. Other services read these: add fields, never change them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRegistered:
    user_id: UUID
    name: str
    registered_at: datetime
