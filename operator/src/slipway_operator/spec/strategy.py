"""How a new version takes over, and when."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from .fields import Model, Seconds, rules

Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
DAYS: tuple[Day, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]


class PromotionWindow(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.from != self.to",
                "A window that ends when it begins is never open: give from and to different times.",
            )
        )
    )

    days: tuple[Day, ...] = Field(
        DAYS,
        min_length=1,
        max_length=7,
        description="Days on which the window begins.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    from_: TimeOfDay = Field(alias="from", description="Time of day when it opens, for example 09:00.")
    to: TimeOfDay = Field(description="Time of day when it closes; earlier than from: on the next day.")
    time_zone: str = Field(
        "UTC",
        pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$",
        max_length=64,
        description="Time zone of from and to, for example Europe/Berlin.",
    )


class Strategy(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.type != 'Rolling' || !has(self.scaleDownDelaySeconds) || self.scaleDownDelaySeconds == 30",
                "Rolling has taken the old pods away before it ends: remove scaleDownDelaySeconds, or use BlueGreen.",
            )
        )
    )

    type: Literal["BlueGreen", "Rolling"] = Field(
        "BlueGreen",
        description="BlueGreen: the whole new version stands beside the old one, then all requests move at once. "
        "Rolling: pod by pod, with less capacity and a slower way back.",
    )
    auto_promote: bool = Field(
        True, description="false: a version that passed its gates waits for release.promote to name it."
    )
    preview_replicas: int = Field(
        1,
        ge=1,
        le=100,
        description="Pods of each serving component while gates or people look at the candidate. Where none do, "
        "BlueGreen starts all pods at once.",
    )  # fmt: skip
    scale_down_delay_seconds: Seconds = Field(
        30, description="How long the former version stays up after the release, for an instant way back."
    )
    progress_deadline_seconds: int = Field(
        300, ge=10, le=86400, description="A step that makes no progress for so long ends the release: back to the old."
    )
    promotion_window: PromotionWindow | None = Field(None, description="Times in which a version may be promoted.")


class Events(Model):
    group: str = Field(
        min_length=1, max_length=249, pattern=r"^[A-Za-z0-9._-]+$", description="Consumer group of this service."
    )
    bootstrap_servers: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^[A-Za-z0-9._-]+:[0-9]{1,5}(,[A-Za-z0-9._-]+:[0-9]{1,5}){0,15}$",
        description="Brokers the operator asks who is in the group, by names that its pod resolves, for example "
        "kafka.shop.svc:9092. Not set: consumers whose pods are gone count as gone.",
    )
    handover: Literal["Exclusive", "Overlap"] = Field(
        "Exclusive",
        description="Exclusive: the old consumers have left the group before the new ones start. "
        "Overlap: the new ones join first, for handlers that tolerate both versions at once.",
    )
