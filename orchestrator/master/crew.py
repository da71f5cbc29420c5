"""Owns the list of a master's parts that run in the loop's thread."""

from dataclasses import dataclass

from orchestrator.master.aftermath import Aftermath
from orchestrator.master.desk import Desk
from orchestrator.master.dispatcher import Dispatcher
from orchestrator.master.doorbell import Doorbell
from orchestrator.master.inspection import Inspector
from orchestrator.master.intake import Intake
from orchestrator.master.judge import Judge
from orchestrator.master.lanes import Lanes
from orchestrator.master.lookout import Lookout
from orchestrator.master.parking import Parking
from orchestrator.master.reaper import Reaper
from orchestrator.master.rounds import Rounds
from orchestrator.master.silence import Silence
from orchestrator.master.standings import Standings
from orchestrator.master.turns import Wakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """The parts of the master that run in the loop's thread."""

    desk: Desk
    lanes: Lanes
    inspector: Inspector
    intake: Intake
    dispatcher: Dispatcher
    judge: Judge
    lookout: Lookout
    aftermath: Aftermath
    parking: Parking
    reaper: Reaper
    rounds: Rounds
    silence: Silence
    standings: Standings
    wakes: Wakes
    doorbell: Doorbell
