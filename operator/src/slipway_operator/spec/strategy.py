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
                "A window that closes when it opens is never open: set from and to to different times.",
            )
        )
    )

    days: tuple[Day, ...] = Field(
        DAYS,
        min_length=1,
        max_length=7,
        description="Days of the week on which the window opens.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    from_: TimeOfDay = Field(alias="from", description="Time of day at which the window opens, for example 09:00.")
    to: TimeOfDay = Field(
        description="Time of day at which the window closes. If it is earlier than from, the window closes "
        "on the next day."
    )
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
                "Rolling removes former pods during the release: remove scaleDownDelaySeconds, or use BlueGreen.",
            )
        )
    )

    type: Literal["BlueGreen", "Rolling"] = Field(
        "BlueGreen",
        description="Type of the release. BlueGreen runs the new version at full size beside the active one "
        "and then switches all traffic at once. Rolling replaces pods step by step: it needs "
        "less capacity, and its rollback is slower.",
    )
    auto_promote: bool = Field(
        True,
        description="Whether a version that passed its gates is promoted without a person. If false, it "
        "waits until release.promote names it.",
    )
    preview_replicas: int = Field(
        1,
        ge=1,
        le=100,
        description="Number of pods of each serving component while gates run and people check the "
"candidate. Without gates and with autoPromote, BlueGreen starts all pods at once.",
    )  # fmt: skip
    scale_down_delay_seconds: Seconds = Field(
        30, description="Seconds that the former version keeps running after the release, for an instant rollback."
    )
    progress_deadline_seconds: int = Field(
        300,
        ge=10,
        le=86400,
        description="Seconds that a stage may take without progress before the release fails and is rolled back.",
    )
    promotion_window: PromotionWindow | None = Field(
        None, description="Times in which a version may be promoted. Without it, at any time."
    )


class Events(Model):
    group: str = Field(
        min_length=1, max_length=249, pattern=r"^[A-Za-z0-9._-]+$", description="Kafka consumer group of the service."
    )
    bootstrap_servers: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^[A-Za-z0-9._-]+:[0-9]{1,5}(,[A-Za-z0-9._-]+:[0-9]{1,5}){0,15}$",
        description="Kafka brokers from which the operator reads the members of the group, by names that its "
        "pod can resolve, for example kafka.shop.svc:9092. If not set, a consumer counts as gone "
        "when its pod is.",
    )
    handover: Literal["Exclusive", "Overlap"] = Field(
        "Exclusive",
        description="How the group is handed over to a new version. Exclusive waits until the old consumers "
        "have left the group before the new ones start. Overlap lets the new ones join first, "
        "for handlers that tolerate both versions at once.",
    )
