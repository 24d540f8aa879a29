"""Peer: full-batch SAM steps of a two-layer tanh network in JAX on the CPU, jit-compiled."""
import argparse
import os

parser = argparse.ArgumentParser()
parser.add_argument("--batch", type=int, required=True)
parser.add_argument("--inputs", type=int, required=True)
parser.add_argument("--hidden", type=int, required=True)
parser.add_argument("--threads", type=int, required=True)
options = parser.parse_args()
os.environ["JAX_PLATFORMS"] = "cpu"
if options.threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])

import jax
import jax.numpy as jnp

from protocol import serve

classes, rho, rate = 10, 0.5, 0.1
keys = jax.random.split(jax.random.key(0), 3)
images = jax.random.uniform(keys[0], (options.batch, options.inputs), minval=-1, maxval=1)
labels = jnp.arange(options.batch) % classes


def layer(key, inputs, outputs):
    weight = jax.random.uniform(key, (inputs, outputs), minval=-1, maxval=1) / inputs**0.5
    return {"weight": weight, "bias": jnp.zeros(outputs)}


params = [
    layer(keys[1], options.inputs, options.hidden),
    layer(keys[2], options.hidden, classes),
]


def loss(params, images, labels):
    first, second = params
    hidden = jnp.tanh(images @ first["weight"] + first["bias"])
    logits = hidden @ second["weight"] + second["bias"]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


@jax.jit
def update(params, images, labels):
    gradient = jax.grad(loss)(params, images, labels)
    norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradient)))
    ascended = jax.tree.map(lambda p, g: p + rho / norm * g, params, gradient)
    shifted = jax.grad(loss)(ascended, images, labels)
    return jax.tree.map(lambda p, g: p - rate * g, params, shifted)


def step():
    global params
    params = update(params, images, labels)


serve(jax.__version__, step, lambda: jax.block_until_ready(params))
