from support.made_alerts import alert

from chaperone.collector.enforce.gathered import Gathering


def test_of_alike_alerts_the_first_the_last_and_all_ids_are_kept() -> None:
    gathering, alerts = Gathering(), [alert(number) for number in range(3)]
    assert not gathering
    for one in alerts:
        gathering.add("x", one)
    gathering.add("y", alerts[0])
    assert gathering
    found = gathering.take()
    assert (found["x"].first, found["x"].last) == (alerts[0], alerts[2])
    assert [id_.hex() for id_ in found["x"].ids] == [one.id for one in alerts]
    assert not gathering and gathering.take() == {}
