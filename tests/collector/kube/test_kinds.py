from chaperone.collector.kube.kinds import kind_of


def test_a_url_names_a_kind() -> None:
    assert kind_of("secrets", "") == "Secret"
    assert kind_of("deployments", "status") == "Deployment"


def test_some_subresources_are_kinds_of_their_own() -> None:
    assert kind_of("serviceaccounts", "token") == "TokenRequest"
    assert kind_of("deployments", "scale") == "Scale"
    assert kind_of("pods", "eviction") == "Eviction"


def test_an_unknown_resource_has_no_kind() -> None:
    assert kind_of("widgets", "") == ""
