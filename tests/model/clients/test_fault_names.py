"""The lab's names of the lease table's faults are names of both."""

from holdover.model.clients.fault_names import IN_THE_TABLE, PLAYED_AS
from holdover.model.clients.profile import FAULTS as ROWS
from holdover.reference.lab.experiments.faults import FAULTS


def test_each_is_a_name_on_its_side_and_the_lab_plays_it() -> None:
    """Beside `mutes`, nothing else happens in it."""
    for row, played in PLAYED_AS.items():
        assert row in ROWS
        fault = FAULTS[played]
        world = fault.gives_away or fault.surroundings
        assert world.faults - {"mutes"} == {row} - {"mutes"}, played


def test_no_name_means_two_things() -> None:
    assert len(IN_THE_TABLE) == len(PLAYED_AS)
    assert {name for name in PLAYED_AS if name in FAULTS} == {"clones"}
