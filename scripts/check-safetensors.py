"""Reads a file of Torte's with safetensors' own reader, writes one with its own writer, and compares what each reads.

    python -m venv venv && venv/bin/pip install safetensors numpy
    venv/bin/python scripts/check-safetensors.py

Needs `npm run build` before. Exit status 1 where anything differs.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent
WRITE = """
import { writeFileSync } from "node:fs";
import { dense, formatSafetensors, input, sequential, tensor } from "torte";
const [folder] = process.argv.slice(2);
const tensors = {
  "a.kernel": tensor([[1.5, -2], [3, 0.25]]),
  __proto__x: tensor([1, -2, 3], { dtype: "int32" }),
  "gr\\u00f6\\u00dfe": tensor([true, false, true]),
  exact: tensor([Math.PI, 1e300], { dtype: "float64" }),
  none: tensor([], { shape: [0, 3] }),
  one: tensor([7], { shape: [] }),
};
const entries = Object.entries(tensors);
entries.push(["__proto__", tensor([5])]);
writeFileSync(`${folder}/ours.safetensors`, formatSafetensors(Object.fromEntries(entries), { made: "by Torte" }));
const model = sequential(input({ shape: [4] }), dense({ units: 3, name: "d" }), { seed: 1 });
writeFileSync(`${folder}/model.safetensors`, await model.save());
writeFileSync(`${folder}/kernel.json`, JSON.stringify((await model.getWeights())["d.kernel"].toArray()));
await model.close();
"""
READ = """
import { readFileSync } from "node:fs";
import { parseSafetensors } from "torte";
const { tensors, metadata } = parseSafetensors(readFileSync(process.argv[2]));
const told = Object.entries(tensors).map(([name, { dtype, shape, data }]) => [name, { dtype, shape, data: [...data] }]);
console.log(JSON.stringify({ tensors: Object.fromEntries(told), metadata }));
"""


def node(script: str, argument: str) -> str:
    command = ["node", "--input-type=module", "-", argument]
    return subprocess.run(command, input=script, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> int:
    faults = 0

    def same(what: str, got: object, expected: object) -> None:
        nonlocal faults
        equal = got == expected
        faults += not equal
        print(f"{'ok    ' if equal else 'FAILED'} {what}" + ("" if equal else f": {got} instead of {expected}"))

    with tempfile.TemporaryDirectory() as folder:
        node(WRITE, folder)
        ours = load_file(f"{folder}/ours.safetensors")
        same("names", sorted(ours), sorted(["a.kernel", "__proto__x", "größe", "exact", "none", "one", "__proto__"]))
        same("float32", (str(ours["a.kernel"].dtype), ours["a.kernel"].tolist()), ("float32", [[1.5, -2], [3, 0.25]]))
        same("int32", (str(ours["__proto__x"].dtype), ours["__proto__x"].tolist()), ("int32", [1, -2, 3]))
        same("bool", (str(ours["größe"].dtype), ours["größe"].tolist()), ("bool", [True, False, True]))
        same("float64", (str(ours["exact"].dtype), ours["exact"].tolist()), ("float64", [np.pi, 1e300]))
        same("no elements", (ours["none"].shape, ours["one"].shape, ours["one"].tolist()), ((0, 3), (), 7))
        with safe_open(f"{folder}/ours.safetensors", "np") as file:
            same("metadata", file.metadata(), {"made": "by Torte"})
        with safe_open(f"{folder}/model.safetensors", "np") as file:
            kernel = np.array(json.loads(Path(f"{folder}/kernel.json").read_text()), np.float32)
            same("a model's weights", file.get_tensor("d.kernel").tolist(), kernel.tolist())
            same("a model's description", json.loads(file.metadata()["torte-model"])["format"], "torte-model")

        theirs = {
            name: np.array([[1, 2, 3], [100, 0, 7]]).astype(name)
            for name in "float16 float32 float64 int8 uint8 int16 uint16 int32 uint32 int64 uint64 bool".split()
        }
        theirs["special"] = np.array([np.inf, -np.inf, 65504, 6e-8], np.float16)
        save_file(theirs, f"{folder}/theirs.safetensors", {"made": "by Python"})
        read = json.loads(node(READ, f"{folder}/theirs.safetensors"))
        same("their metadata", read["metadata"], {"made": "by Python"})
        for name, array in theirs.items():
            got = read["tensors"][name]
            expected = [None if np.isinf(x) else x for x in array.astype(float).ravel().tolist()]
            same(f"their {name}", (got["shape"], [None if x is None else float(x) for x in got["data"]]), (list(array.shape), expected))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
