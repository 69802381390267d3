"""Writes packages/tune/test/fixtures/reference.json: numbers of SciPy, mpmath, scikit-learn and Optuna that the tests compare with."""
import json, os, warnings
import numpy as np
import scipy, sklearn, torch, optuna, mpmath
from scipy import special
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern
from optuna._gp.gp import GPRegressor, fit_kernel_params
from optuna._gp.prior import default_log_prior

warnings.filterwarnings("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
out = {"made": f"scripts/tune/reference.py; SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}, Optuna {optuna.__version__}"}

x = [-30, -12.5, -6, -3, -1.2, -0.5, -0.46, -0.1, 0, 0.2, 0.46875, 0.5, 1, 2.5, 4, 4.1, 8, 20]
out["normal"] = {"x": x, "erfc": special.erfc(x).tolist(), "erfcx": special.erfcx(np.maximum(x, -20)).tolist(),
                 "logNdtr": special.log_ndtr(x).tolist()}
p = [1e-300, 1e-12, 1e-4, 0.02, 0.02425, 0.1, 0.4999, 0.5, 0.7, 0.99, 1 - 1e-9]
out["quantile"] = {"p": p, "z": special.ndtri(p).tolist()}

from scipy import stats
v = [-3.2, -1, -0.4, 0, 0.2, 0.9, 1.6, 4.5]
out["yeoJohnson"] = {"values": v, "lambdas": [-1, 0, 0.5, 1, 2, 3],
    "transformed": [stats.yeojohnson(np.array(v), lmbda=l).tolist() for l in (-1, 0, 0.5, 1, 2, 3)],
    "likelihoods": [float(stats.yeojohnson_llf(l, np.array(v))) for l in (-1, 0, 0.5, 1, 2, 3)]}

mpmath.mp.dps = 80
z = [-1e5, -1e4, -1500, -1000, -999, -300, -40, -25, -24, -5, -2.5, -1, -0.99, -0.3, 0, 0.4, 1, 3, 5, 40, 1e3]
logei = [float(mpmath.log(v * mpmath.ncdf(v) + mpmath.npdf(v))) for v in map(mpmath.mpf, z)]
out["logImprovement"] = {"z": z, "value": logei}

rng = np.random.RandomState(3)
X = rng.rand(12, 3); X[:, 2] = rng.randint(0, 3, 12)
y = np.sin(4 * X[:, 0]) + X[:, 1] ** 2 + 0.5 * (X[:, 2] == 1); y = (y - y.mean()) / y.std()
cat = np.array([False, False, True]); Xq = rng.rand(5, 3); Xq[:, 2] = [0, 1, 2, 1, 0]
t = lambda a: torch.tensor(a, dtype=torch.float64)
def regressor(w, s, n): return GPRegressor(torch.from_numpy(cat), t(X), t(y), w, s, n)
w, s, n = t([3.0, 0.7, 0.4]).requires_grad_(), t(1.4).requires_grad_(), t(0.02).requires_grad_()
ll = regressor(w, s, n).marginal_log_likelihood(); ll.backward()
g = regressor(w.detach(), s.detach(), n.detach()); g._cache_matrix()
xq = t(Xq).requires_grad_(); m, v = g.posterior(xq)
gm = torch.autograd.grad(m.sum(), xq, retain_graph=True)[0]; gv = torch.autograd.grad(v.sum(), xq)[0]
out["gaussianProcess"] = {
    "points": X.tolist(), "values": y.tolist(), "categorical": cat.tolist(), "inverseSquared": w.tolist(), "scale": s.item(),
    "noise": n.item(), "logLikelihood": ll.item(),
    "slopes": [*(w.grad * w).tolist(), (s.grad * s).item(), (n.grad * n).item()],
    "at": Xq.tolist(), "mean": m.tolist(), "variance": v.tolist(), "byMean": gm.tolist(), "byVariance": gv.tolist()}
fit = fit_kernel_params(X, y, cat, default_log_prior, 1e-6, False)
out["gaussianProcess"]["fitted"] = {"inverseSquared": fit.inverse_squared_lengthscales.tolist(), "scale": fit.kernel_scale.item(),
    "noise": fit.noise_var.item(), "logPosterior": (fit.marginal_log_likelihood() + default_log_prior(fit)).item()}

kernel = ConstantKernel(1.4, "fixed") * Matern([1 / np.sqrt(3.0), 1 / np.sqrt(0.7)], "fixed", nu=2.5)
sk = GaussianProcessRegressor(kernel, alpha=0.02, optimizer=None).fit(X[:, :2], y)
mean, std = sk.predict(Xq[:, :2], return_std=True)
out["matern"] = {"mean": mean.tolist(), "deviation": std.tolist(), "logLikelihood": sk.log_marginal_likelihood_value_}

from optuna.study._multi_objective import _is_pareto_front, _fast_non_domination_rank
from optuna._hypervolume import compute_hypervolume
L = rng.rand(40, 2).round(2); L3 = rng.rand(40, 3).round(1)
out["pareto"] = [{"results": M.tolist(), "front": np.flatnonzero(_is_pareto_front(M, assume_unique_lexsorted=False)).tolist(),
                  "ranks": _fast_non_domination_rank(M).tolist()} for M in (L, L3)]
out["hypervolume"] = float(compute_hypervolume(L, np.array([1.1, 1.1])))

def objective(trial):
    a = trial.suggest_float("a", 0, 1); b = trial.suggest_float("b", 1e-3, 1, log=True); c = trial.suggest_int("c", 1, 8)
    k = trial.suggest_categorical("k", ["p", "q", "r"])
    return 4 * (a - 0.3) ** 2 + 0.3 * np.log10(b) + 0.05 * c + {"p": 0, "q": 0.3, "r": 0.1}[k] + 0.5 * a * (k == "q")
study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)); study.optimize(objective, n_trials=200)
runs = [optuna.importance.get_param_importances(study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=i)) for i in range(5)]
out["fanova"] = {"trials": [{"values": t.params, "loss": t.value} for t in study.trials],
    "importance": {k: float(np.mean([r[k] for r in runs])) for k in "abck"}, "spread": {k: float(np.std([r[k] for r in runs])) for k in "abck"}}
with open(os.path.join(root, "packages/tune/test/fixtures/reference.json"), "w") as f: json.dump(out, f, indent=1)
