"""Alerts as a collector handles them, in a process that may be killed: `alert_process.py DIRECTORY FILE FROM TO`.

For each number one event is judged; when its alert is in the outbox the number is printed, as an ack would be. At the end it
waits until all is told.
"""

import asyncio
import sys
from pathlib import Path

from support.made_alerts import judged, verdict

from chaperone.collector.enforce.alerter import alerting_on


async def run(directory: Path, file: Path, numbers: range) -> None:
    async with alerting_on(directory, file) as alerter:
        print("ready", flush=True)
        for number in numbers:
            alerter.perform(judged(number, verdict(judged(number).event, rule=f"rule{number}")))
            await alerter.keep()
            print(number, flush=True)
        await alerter.finish(60)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2]), range(int(sys.argv[3]), int(sys.argv[4]))))
