"""Peer: a sweep as one would write it in plain PyTorch. Full-batch SAM on a two-layer tanh
network, every radius with every seed, cells dealt out to processes of one thread each.

Prints one JSON line: the seconds from start to end and the median final loss.
"""
import argparse
import json
import time

import torch
import torch.multiprocessing as mp
from torch import nn


def train(cell, images, labels, options):
    rho, seed = cell
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(options.inputs, options.hidden), nn.Tanh(), nn.Linear(options.hidden, 10)
    )
    criterion = nn.CrossEntropyLoss()
    params = list(model.parameters())
    for _ in range(options.steps):
        loss = criterion(model(images), labels)
        gradient = torch.autograd.grad(loss, params)
        with torch.no_grad():
            norm = torch.sqrt(sum(g.square().sum() for g in gradient))
            ascent = [g * (rho / (norm + 1e-12)) for g in gradient]
            torch._foreach_add_(params, ascent)
        shifted = torch.autograd.grad(criterion(model(images), labels), params)
        with torch.no_grad():
            torch._foreach_sub_(params, ascent)
            torch._foreach_add_(params, shifted, alpha=-options.lr)
    return loss.item()


def work(cells, results, options):
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(options.batch, options.inputs, generator=generator)
    labels = torch.arange(options.batch) % 10
    for cell in cells:
        results.put(train(cell, images, labels, options))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--radii", type=float, nargs="+", default=[1, 2])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--inputs", type=int, default=196)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    cells = [(rho, seed) for seed in range(options.seeds) for rho in options.radii]
    began = time.perf_counter()
    context = mp.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=work, args=(cells[i :: options.processes], results, options))
        for i in range(options.processes)
    ]
    for process in processes:
        process.start()
    losses = sorted(results.get() for _ in cells)
    for process in processes:
        process.join()
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "cells": len(cells), "median": losses[len(losses) // 2]}))


if __name__ == "__main__":
    main()
