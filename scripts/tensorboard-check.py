"""Reads the event files of a folder with TensorBoard's own loader, and prints what it finds.

    python scripts/tensorboard-check.py FOLDER      (pip install tensorboard)

Beside `jiti scripts/tensorboard-check.ts`, which writes such a folder and compares.
"""

import json
import sys

from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

found = {}
accumulator = EventAccumulator(sys.argv[1], size_guidance={"tensors": 0}, tensor_size_guidance={"scalars": 0, "histograms": 0, "text": 0})
accumulator.Reload()
for plugin in accumulator.ActivePlugins():
    for tag in accumulator.PluginTagToContent(plugin):
        values = [[event.step, tensor_util.make_ndarray(event.tensor_proto)] for event in accumulator.Tensors(tag)]
        found[f"{plugin} {tag}"] = [
            [step, value.item().decode() if value.dtype == object else value.tolist()] for step, value in values
        ]
print(json.dumps(found))
