from chaperone.collector.rules.document import POLICY_KEYS, RULE_KEYS
from chaperone.collector.rules.schema import POLICY, RULE, definition
from chaperone.collector.rules.verdict import Action, Enforce


def test_every_key_of_the_model_is_in_the_schema_and_no_other() -> None:
    assert set(RULE) == set(RULE_KEYS)
    assert set(POLICY) == set(POLICY_KEYS) - {"apiVersion", "kind", "metadata"}


def test_choices_are_the_models() -> None:
    assert RULE["do"]["enum"] == [str(one) for one in Action] and RULE["enforce"]["enum"] == [str(one) for one in Enforce]


def test_it_is_one_definition_of_the_whole_cluster_with_a_status_of_its_own() -> None:
    found = definition()
    [version] = found["spec"]["versions"]
    assert (found["metadata"]["name"], found["spec"]["scope"], version["subresources"]) == (
        "policies.chaperone.dev",
        "Cluster",
        {"status": {}},
    )
    assert found["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert set(version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]) >= {"accepted", "message", "nodes"}
