"""A line for whoever happens to look: no time, no request, no level, and no way to find it again."""


def confirm(order: dict[str, str]) -> None:
    print("confirming order")
    order["status"] = "confirmed"
    print("done")
