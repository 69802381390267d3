"""Writes packages/tune/src/numeric/sobol-directions.ts and the points of its test, from SciPy's table of Joe and Kuo."""
import json, os
import numpy as np
import scipy
from scipy.stats import qmc

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
table = np.load(os.path.join(os.path.dirname(scipy.__file__), "stats/_sobol_direction_numbers.npz"))
count = 64
rows = []
for d in range(1, count):
    poly = int(table["poly"][d])
    degree = poly.bit_length() - 1
    rows.append([poly, *[int(m) for m in table["vinit"][d][:degree]]])
lines = ",\n".join("  " + json.dumps(row) for row in rows)
with open(os.path.join(root, "packages/tune/src/numeric/sobol-directions.ts"), "w") as f:
    f.write("/**\n * Primitive polynomials and first direction numbers of Sobol's sequence, from the second dimension on: [polynomial, m₁, m₂, …].\n"
            " *\n * Source: S. Joe and F. Kuo, new-joe-kuo-6.21201. Made by scripts/tune/sobol-directions.py.\n */\n"
            f"export const DIRECTIONS: readonly (readonly number[])[] = [\n{lines},\n];\n")
points = qmc.Sobol(count, scramble=False).random(64)
with open(os.path.join(root, "packages/tune/test/fixtures/sobol.json"), "w") as f:
    json.dump({"made": "scripts/tune/sobol-directions.py, SciPy " + scipy.__version__, "points": (points * 2**16).astype(int).tolist(), "unit": 2**-16}, f)
