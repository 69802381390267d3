"""PyTorch: for each line with a number, as many steps of training or prediction over the first batches of the job's data,
answered in JSON. Arguments: job, threads, and of "fused" (Adam in one pass) and "compiled" those that are wanted."""
import json
import pathlib
import re
import resource
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F



def blas():
    """The BLAS of this process, known once it has multiplied: what PyTorch was linked with is only the name of an interface."""
    torch.ones(64, 64) @ torch.ones(64, 64)
    if torch.backends.mkl.is_available():  # may be linked in statically
        return "MKL"
    try:
        maps = pathlib.Path("/proc/self/maps").read_text()
    except OSError:
        return "unknown BLAS"
    files = [line.split()[-1] for line in maps.splitlines() if "/" in line]
    # LAPACK may bring an OpenBLAS that multiplies nothing, so libblas.so decides where there is one.
    files = [file for file in files if "/libblas.so" in file] or files
    names = {"openblas": "OpenBLAS", "/libmkl_": "MKL", "/(lib)?blis": "BLIS", "/atlas": "ATLAS"}
    return next((name for part, name in names.items() if re.search(part, "\n".join(files))), "reference BLAS")


path, threads, options = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
torch.set_num_threads(threads)
job = json.load(open(path))
batch, rows, classes = job["batch"], job["rows"], job["classes"]


def read(suffix, dtype):
    return torch.frombuffer(bytearray(open(path + suffix, "rb").read()), dtype=dtype)


flat = read(".weights", torch.float32)
weights = {w["name"]: flat[w["offset"] : w["offset"] + w["size"]].reshape(w["shape"]) for w in job["weights"]}
tokens = "tokens" in job
X = read(".x", torch.int32 if tokens else torch.float32).reshape(rows, *job["shape"])
Y = read(".y", torch.float32)
Y = Y.reshape(rows, 1) if classes == 1 else Y.long()
if tokens:
    X = X.long()
elif X.dim() > 2:
    X = X.movedim(-1, 1).contiguous()


class Channels(nn.Module):
    """Channels to the end, as the weights after it expect."""

    def forward(self, x):
        return x.movedim(1, -1).flatten(1)


class Tokens(nn.Module):
    def __init__(self, width, count=21):
        super().__init__()
        self.embedding = nn.Embedding(count, width)

    def forward(self, x):
        return self.embedding(x).transpose(1, 2)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        conv = lambda: nn.Conv1d(64, 64, 5, padding=2)
        norm = lambda: nn.BatchNorm1d(64, eps=1e-3, momentum=0.01)
        self.body = nn.Sequential(conv(), norm(), nn.ReLU(), conv(), norm())

    def forward(self, x):
        return F.relu(self.body(x) + x)


class Average(nn.Module):
    def forward(self, x):
        return x.mean(-1)


def chapter():
    convs = [m for k, p in ((5, 4), (3, 2), (3, 2)) for m in (nn.Conv1d(16, 16, k), nn.ReLU(), nn.MaxPool1d(p))]
    head = [nn.Linear(160, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 1)]
    return nn.Sequential(Tokens(16), *convs, Channels(), *head)


def mlp():
    hidden = [m for i in (784, 512) for m in (nn.Linear(i, 512), nn.ReLU(), nn.Dropout(0.2))]
    return nn.Sequential(*hidden, nn.Linear(512, 10))


def cnn():
    convs = [m for i, o in ((1, 32), (32, 64)) for m in (nn.Conv2d(i, o, 3), nn.ReLU(), nn.MaxPool2d(2))]
    return nn.Sequential(*convs, Channels(), nn.Dropout(0.5), nn.Linear(1600, 10))


def residual():
    return nn.Sequential(Tokens(64), *[Residual() for _ in range(4)], Average(), nn.Linear(64, 1))


def conv3d():
    convs = [m for i, o in ((1, 16), (16, 32)) for m in (nn.Conv3d(i, o, 3), nn.ReLU(), nn.MaxPool3d(2))]
    return nn.Sequential(*convs, Channels(), nn.Linear(32 * 6**3, 10))


def norm2d(width):
    return nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)


def vgg():
    convs = []
    for i, o in ((3, 64), (64, 128), (128, 256)):
        convs += [nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*convs, Channels(), nn.Linear(256 * 16, 256), nn.ReLU(), nn.Linear(256, 10))


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        conv = lambda i, stride: nn.Conv2d(i, o, 3, stride=stride, padding=1, bias=False)
        self.body = nn.Sequential(conv(i, stride), norm2d(o), nn.ReLU(), conv(o, 1), norm2d(o))
        self.along = nn.Conv2d(i, o, 1, stride=stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, x):
        return F.relu(self.body(x) + self.along(x))


class Average2d(nn.Module):
    def forward(self, x):
        return x.mean((-2, -1))


def resnet():
    sizes = [(16, 16, 1), (16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 64, 1)]
    first = [nn.Conv2d(3, 16, 3, padding=1, bias=False), norm2d(16), nn.ReLU()]
    return nn.Sequential(*first, *[Block(*size) for size in sizes], Average2d(), nn.Linear(64, 10))


def mobilenet():
    layers = [nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False), norm2d(64), nn.ReLU()]
    width = 64
    for filters, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        layers += [nn.Conv2d(width, width, 3, stride=stride, padding=1, groups=width, bias=False), norm2d(width), nn.ReLU()]
        layers += [nn.Conv2d(width, filters, 1, bias=False), norm2d(filters), nn.ReLU()]
        width = filters
    return nn.Sequential(*layers, Average2d(), nn.Linear(256, 10))


class Largest(nn.Module):
    def forward(self, x):
        return x.amax(-1)


def text():
    return nn.Sequential(Tokens(128, 20_000), nn.Conv1d(128, 128, 5), nn.ReLU(), Largest(), nn.Linear(128, 1))


def wide():
    hidden = [m for i in (256, 2048) for m in (nn.Linear(i, 2048), nn.LayerNorm(2048, eps=1e-3), nn.GELU())]
    return nn.Sequential(*hidden, nn.Linear(2048, 1))


models = (chapter, mlp, cnn, residual, conv3d, vgg, resnet, mobilenet, text, wide)
model = {f.__name__: f for f in models}[job["model"]]()
with torch.no_grad():
    count = {}
    for layer in model.modules():
        kinds = (nn.Embedding, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
        if not isinstance(layer, kinds):
            continue
        kind = dict(zip(kinds, ("embedding", "conv1d", "conv2d", "conv3d", "dense")))[type(layer)]
        depthwise = kind == "conv2d" and layer.groups > 1
        if depthwise:
            kind = "depthwise_conv2d"
        name = kind + (f"_{count[kind]}" if kind in count else "")
        count[kind] = count.get(kind, 0) + 1
        if kind == "embedding":
            layer.weight.copy_(weights[name + ".embeddings"])
            continue
        kernel = weights[name + ".kernel"]
        if depthwise:
            layer.weight.copy_(kernel.permute(2, 3, 0, 1))
        elif kind == "dense":
            layer.weight.copy_(kernel.T)
        else:
            layer.weight.copy_(kernel.permute(-1, -2, *range(kernel.dim() - 2)))
        if layer.bias is not None:
            layer.bias.copy_(weights[name + ".bias"])
model.train(job["mode"] == "train")
optimizer = torch.optim.Adam(model.parameters(), 1e-3, eps=1e-12, **({"fused": True} if "fused" in options else {}))
if "compiled" in options:
    model = torch.compile(model)
loss_of = F.binary_cross_entropy_with_logits if classes == 1 else F.cross_entropy


def train(batches):
    total = 0.0
    for part in batches:
        loss = loss_of(model(X[part]), Y[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(batches)


@torch.no_grad()
def predict(batches):
    return torch.cat([torch.sigmoid(model(X[part])) for part in batches])


hello = {"name": f"PyTorch {torch.__version__}, {blas()}"}
if hello["name"].endswith("reference BLAS"):
    hello["warning"] = (
        "PyTorch multiplies matrices with the reference BLAS, many times slower than OpenBLAS: the comparison is not fair. "
        "On Debian: apt-get install libopenblas0-pthread"
    )
print(json.dumps(hello), flush=True)
for line in sys.stdin:
    batches = [slice(i * batch, (i + 1) * batch) for i in range(int(line))]
    start = time.perf_counter()
    result = {"train": train, "predict": predict}[job["mode"]](batches)
    ms = (time.perf_counter() - start) / len(batches) * 1e3
    figures = {"loss": result} if job["mode"] == "train" else {"outputs": result.flatten().tolist()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": ms, **figures, "peakMB": peak}), flush=True)
