"""Who may do what at the brokers (k8s/kafka/users.yaml), as the user operator reads it."""

import yaml

from support.repository import ROOT

ACLS = {
    each["metadata"]["name"]: each["spec"]["authorization"]["acls"]
    for each in yaml.safe_load_all((ROOT / "k8s/kafka/users.yaml").read_text())
}


def rights():
    """(user, kind, name, operation) in the protocol's words: TOPIC, DESCRIBE_CONFIGS."""
    for user, rules in ACLS.items():
        for rule in rules:
            for operation in rule["operations"]:
                words = "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in operation)
                yield user, rule["resource"]["type"].upper(), rule["resource"]["name"], words.lstrip("_")
