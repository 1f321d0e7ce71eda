from chaperone.collector.identity.caller import ADMINS, AGENTS, COLLECTORS, OWNER, Caller, Means, Right


def test_only_a_certificate_makes_an_agent_an_admin_or_a_collector() -> None:
    for group, name in ((AGENTS, "is_agent"), (ADMINS, "is_admin"), (COLLECTORS, "is_collector")):
        assert getattr(Caller("x", frozenset({group}), Means.CERTIFICATE), name)
        assert not getattr(Caller("x", frozenset({group}), Means.TOKEN), name)
        assert not getattr(Caller("x", frozenset({"system:masters"}), Means.CERTIFICATE), name)


def test_the_owner_of_the_socket_may_all_but_is_no_agent() -> None:
    assert OWNER.is_owner and OWNER.is_admin and not OWNER.is_agent and not OWNER.is_collector


def test_each_right_is_a_verb_of_a_resource() -> None:
    assert {right: right.resource for right in Right} == {
        Right.VIEW: "sessions",
        Right.REVEAL: "sessions",
        Right.APPROVE: "approvals",
        Right.ADMIN: "policies",
    }
