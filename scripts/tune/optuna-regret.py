"""Optuna's GP and TPE samplers on the functions of packages/tune/src/testing/functions.ts: regrets as JSON.

    python scripts/tune/optuna-regret.py TRIALS SEEDS FILE
"""
import json, math, sys, warnings
import numpy as np, optuna

warnings.filterwarnings("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
trials, seeds = int(sys.argv[1]), int(sys.argv[2])

def branin(t):
    x, y = t.suggest_float("x", -5, 10), t.suggest_float("y", 0, 15)
    b = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return b * b + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10

W = np.array([1, 1.2, 3, 3.2])
A = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]])
P = 1e-4 * np.array([[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
                     [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]])
coordinates = lambda t, n, lo, hi: np.array([t.suggest_float(f"x{i}", lo, hi) for i in range(n)])
hartmann6 = lambda t: -float(W @ np.exp(-(A * (coordinates(t, 6, 0, 1) - P) ** 2).sum(1)))

def ackley(t):
    x = coordinates(t, 5, -32.768, 32.768)
    return float(-20 * np.exp(-0.2 * np.sqrt((x * x).mean())) - np.exp(np.cos(2 * np.pi * x).mean()) + 20 + np.e)

def rosenbrock(t):
    x = coordinates(t, 4, -5, 10)
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())

def mixed(t):
    rate, units = t.suggest_float("rate", 1e-5, 1, log=True), t.suggest_int("units", 8, 512, log=True)
    kind, norm = t.suggest_categorical("kind", ["relu", "tanh", "swish", "linear"]), t.suggest_categorical("norm", [False, True])
    depth = t.suggest_int("depth", 1, 6)
    best = {"relu": -2.5, "tanh": -3, "swish": -2, "linear": -1}[kind] + (0.7 if norm else 0)
    offset = {"relu": 0.05, "tanh": 0.1, "swish": 0, "linear": 0.4}[kind] + (0 if norm else 0.1)
    return offset + 0.3 * (math.log10(rate) - best) ** 2 + 0.1 * (math.log2(units) - 7) ** 2 + 0.08 * (depth - (4 if norm else 2)) ** 2

def conditional(t):
    optimizer, units = t.suggest_categorical("optimizer", ["sgd", "adam"]), t.suggest_int("units", 8, 512, log=True)
    loss = 0.15 * (math.log2(units) - 6) ** 2
    if optimizer == "sgd":
        rate, momentum = t.suggest_float("sgdRate", 1e-4, 1, log=True), t.suggest_float("momentum", 0, 0.99)
        loss += 0.1 + 0.3 * (math.log10(rate / (1 - momentum)) + 0.5) ** 2 + (momentum - 0.8) ** 2
    else:
        rate, beta = t.suggest_float("adamRate", 1e-5, 1e-1, log=True), t.suggest_float("beta", 0.8, 0.999)
        loss += 0.4 * (math.log10(rate) + 3) ** 2 + 10 * (beta - 0.92) ** 2
    return loss + ((t.suggest_float("dropRate", 0, 0.6) - 0.25) ** 2 if t.suggest_categorical("dropout", [False, True]) else 0.06)

functions = {"Branin": (branin, 0.39788735772973816), "Hartmann6": (hartmann6, -3.32236801141551), "Ackley5": (ackley, 0),
             "Rosenbrock4": (rosenbrock, 0), "mixed": (mixed, 0), "conditional": (conditional, 0)}
samplers = {"gp": lambda s: optuna.samplers.GPSampler(seed=s), "tpe": lambda s: optuna.samplers.TPESampler(seed=s, group=False)}
out = {"version": optuna.__version__, "trials": trials}
for name, (f, least) in functions.items():
    for kind, sampler in samplers.items():
        # Optuna's GP sampler falls back to independent sampling where there are conditions.
        ends = []
        for seed in range(seeds if kind == "gp" else 40):
            s = sampler(seed) if not (kind == "tpe" and name == "conditional") else optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)
            study = optuna.create_study(sampler=s); study.optimize(f, n_trials=trials)
            ends.append(study.best_value - least)
        out.setdefault(name, {})[kind] = ends
        print(name, kind, sorted(ends)[len(ends) // 2], file=sys.stderr, flush=True)
        with open(sys.argv[3], "w") as file: json.dump(out, file)
