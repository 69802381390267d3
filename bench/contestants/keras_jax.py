"""Keras on JAX, the whole step compiled: for each line with a number, as many steps of training or prediction over the first
batches of the job's data, answered in JSON. Arguments: job, threads."""
import json
import os
import resource
import sys
import time

path, threads = sys.argv[1], int(sys.argv[2])
# XLA has as many threads as the process may use cores.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras import layers

job = json.load(open(path))
batch, rows, classes = job["batch"], job["rows"], job["classes"]
flat = np.fromfile(path + ".weights", np.float32)
weights = {w["name"]: flat[w["offset"] : w["offset"] + w["size"]].reshape(w["shape"]) for w in job["weights"]}
X = np.fromfile(path + ".x", np.int32 if "tokens" in job else np.float32).reshape(rows, *job["shape"])
Y = np.fromfile(path + ".y", np.float32).reshape(rows, 1)


def relu(x):
    return layers.Activation("relu")(x)


def chapter(x):
    x = layers.Embedding(21, 16)(x)
    for size, pool in ((5, 4), (3, 2), (3, 2)):
        x = layers.MaxPooling1D(pool)(layers.Conv1D(16, size, activation="relu")(x))
    x = layers.Dense(256, activation="relu")(layers.Flatten()(x))
    return layers.Dense(1)(layers.Dense(64, activation="relu")(x))


def mlp(x):
    for _ in range(2):
        x = layers.Dropout(0.2)(layers.Dense(512, activation="relu")(x))
    return layers.Dense(10)(x)


def cnn(x):
    for filters in (32, 64):
        x = layers.MaxPooling2D(2)(layers.Conv2D(filters, 3, activation="relu")(x))
    return layers.Dense(10)(layers.Dropout(0.5)(layers.Flatten()(x)))


def residual(x):
    conv = lambda x: layers.BatchNormalization()(layers.Conv1D(64, 5, padding="same")(x))
    x = layers.Embedding(21, 64)(x)
    for _ in range(4):
        x = relu(layers.Add()([conv(relu(conv(x))), x]))
    return layers.Dense(1)(layers.GlobalAveragePooling1D()(x))


def conv3d(x):
    for filters in (16, 32):
        x = layers.MaxPooling3D(2)(layers.Conv3D(filters, 3, activation="relu")(x))
    return layers.Dense(10)(layers.Flatten()(x))


def vgg(x):
    for filters in (64, 128, 256):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    return layers.Dense(10)(layers.Dense(256, activation="relu")(layers.Flatten()(x)))


def resnet(x):
    def conv(x, filters, strides=1):
        if strides > 1:
            x = layers.ZeroPadding2D(1)(x)
        return layers.Conv2D(filters, 3, strides, padding="valid" if strides > 1 else "same", use_bias=False)(x)

    x = relu(layers.BatchNormalization()(conv(x, 16)))
    for filters in (16, 32, 64):
        for block in range(3):
            strides = 2 if block == 0 and filters > 16 else 1
            inner = relu(layers.BatchNormalization()(conv(x, filters, strides)))
            inner = layers.BatchNormalization()(conv(inner, filters))
            along = layers.Conv2D(filters, 1, strides, use_bias=False)(x) if strides > 1 else x
            x = relu(layers.Add()([inner, along]))
    return layers.Dense(10)(layers.GlobalAveragePooling2D()(x))


def mobilenet(x):
    norm = lambda x: relu(layers.BatchNormalization()(x))
    x = norm(layers.Conv2D(64, 3, 2, use_bias=False)(layers.ZeroPadding2D(1)(x)))
    for filters, strides in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        x = norm(layers.DepthwiseConv2D(3, strides, use_bias=False)(layers.ZeroPadding2D(1)(x)))
        x = norm(layers.Conv2D(filters, 1, use_bias=False)(x))
    return layers.Dense(10)(layers.GlobalAveragePooling2D()(x))


def text(x):
    x = layers.Conv1D(128, 5, activation="relu")(layers.Embedding(20_000, 128)(x))
    return layers.Dense(1)(layers.GlobalMaxPooling1D()(x))


def wide(x):
    for _ in range(2):
        x = layers.Activation("gelu")(layers.LayerNormalization()(layers.Dense(2048)(x)))
    return layers.Dense(1)(x)


models = (chapter, mlp, cnn, residual, conv3d, vgg, resnet, mobilenet, text, wide)
inputs = layers.Input(job["shape"], dtype="int32" if "tokens" in job else "float32")
model = keras.Model(inputs, {f.__name__: f for f in models}[job["model"]](inputs))
count = {}
for layer in model.layers:
    kind = keras.src.utils.naming.to_snake_case(type(layer).__name__)
    name = kind + (f"_{count[kind]}" if kind in count else "")
    count[kind] = count.get(kind, 0) + 1
    for weight in layer.weights:
        if weight.name in ("kernel", "bias", "embeddings"):
            weight.assign(weights[f"{name}.{weight.name}"])

optimizer = keras.optimizers.Adam(1e-3, epsilon=1e-12)
optimizer.build(model.trainable_variables)
if classes == 1:
    loss_of = keras.losses.BinaryCrossentropy(from_logits=True)
else:
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def loss_and_updates(trained, others, x, y):
    outputs, others = model.stateless_call(trained, others, x, training=True)
    return loss_of(y, outputs), others


def step(state, x, y):
    trained, others, moments = state
    (loss, others), gradients = jax.value_and_grad(loss_and_updates, has_aux=True)(trained, others, x, y)
    trained, moments = optimizer.stateless_apply(moments, gradients, trained)
    return (trained, others, moments), loss


def values(variables):
    return [jnp.array(variable.value) for variable in variables]


step = jax.jit(step, donate_argnums=0)
forward = jax.jit(lambda trained, others, x: jax.nn.sigmoid(model.stateless_call(trained, others, x)[0]))
state = (values(model.trainable_variables), values(model.non_trainable_variables), values(optimizer.variables))


def train(batches):
    global state
    losses = []
    for part in batches:
        state, loss = step(state, X[part], Y[part])
        losses.append(loss)
    return float(np.mean(jax.block_until_ready(losses)))


def predict(batches):
    return np.concatenate([np.asarray(forward(state[0], state[1], X[part])) for part in batches]).flatten().tolist()


# Compiled before the first question; the weights stay as they were.
if job["mode"] == "train":
    step(jax.tree.map(jnp.copy, state), X[:batch], Y[:batch])[1].block_until_ready()
print(json.dumps({"name": f"Keras {keras.__version__} on JAX {jax.__version__}, compiled"}), flush=True)
for line in sys.stdin:
    batches = [slice(i * batch, (i + 1) * batch) for i in range(int(line))]
    start = time.perf_counter()
    result = {"train": train, "predict": predict}[job["mode"]](batches)
    ms = (time.perf_counter() - start) / len(batches) * 1e3
    figures = {"loss": result} if job["mode"] == "train" else {"outputs": result}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": ms, **figures, "peakMB": peak}), flush=True)
