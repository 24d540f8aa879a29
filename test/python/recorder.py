"""Checks of the recorders, against numbers taken by other means. Prints a line of JSON per check."""

import copy
import json
import os
import random
import sys
import tempfile
import traceback
import types

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "python"))

import torch
from torch import nn

from lucid_sam import Probe, Watch

torch.set_num_threads(1)
folder = tempfile.mkdtemp()
criterion = nn.CrossEntropyLoss()


def network(seed=0):
    """Batch normalization, dropout, and a parameter that the loss does not use."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 4)
    )
    model.register_parameter("unused", nn.Parameter(torch.ones(3)))
    return model


def samples(n=96):
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(n, 6, generator=rng)
    return x, (x[:, :4] + 0.5 * torch.randn(n, 4, generator=rng)).argmax(1)


class SAM(torch.optim.Optimizer):
    """Two steps around two backward passes, as classes of SAM have them."""

    def __init__(self, params, base, rho=0.05, adaptive=False, **options):
        super().__init__(params, dict(rho=rho, adaptive=adaptive, **options))
        self.base_optimizer = base(self.param_groups, **options)
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def first_step(self, zero_grad=False):
        every = [p for g in self.param_groups for p in g["params"] if p.grad is not None]
        norm = torch.stack([p.grad.norm() for p in every]).norm()
        for p in every:
            self.state[p]["old"] = p.data.clone()
            p.add_(p.grad, alpha=float(self.param_groups[0]["rho"] / norm))
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad=False):
        for p, state in self.state.items():
            if "old" in state:
                p.data = state["old"]
        self.base_optimizer.step()
        if zero_grad:
            self.zero_grad()

    def step(self, closure):
        self.first_step(zero_grad=True)
        with torch.enable_grad():
            closure()
        self.second_step()


def rows_of(path):
    with open(path) as file:
        header, *rows = [json.loads(line) for line in file]
    assert header["lucid"] == 1, header
    return header, rows


def state_of(model, optimizer):
    """All that a probe must leave as it was, as bytes and as objects."""
    tensors = [*model.parameters(), *model.buffers()]
    held = [None if p.grad is None else p.grad for p in model.parameters()]
    slots = [v for s in optimizer.state.values() for v in s.values() if torch.is_tensor(v)]
    every = [*tensors, *[g for g in held if g is not None], *slots]
    return (
        [t.detach().clone() for t in every],
        [t.data_ptr() for t in every],
        [id(g) for g in held],
        torch.get_rng_state().clone(),
        random.getstate(),
        [m.training for m in model.modules()],
    )


def same(a, b):
    return all(
        all(torch.equal(x, y) for x, y in zip(u, v))
        if isinstance(u, list) and u and torch.is_tensor(u[0])
        else torch.equal(u, v)
        if torch.is_tensor(u)
        else u == v
        for u, v in zip(a, b)
    )


def check_probe_leaves_everything_bit_equal():
    for descent in (0, 3):
        for mode in (True, False):
            model = network().train(mode)
            x, y = samples()
            optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
            loader = torch.utils.data.DataLoader(
                torch.utils.data.TensorDataset(x, y), batch_size=16, shuffle=True
            )
            before = torch.get_rng_state().clone()
            path = os.path.join(folder, f"equal-{descent}-{mode}.jsonl")
            probe = Probe(model, criterion, loader, optimizer, rho=0.5, path=path, descent=descent)
            assert torch.equal(before, torch.get_rng_state()), "making it drew random numbers"
            for _ in range(3):
                optimizer.zero_grad()
                criterion(model(x), y).backward()
                optimizer.step()
                held = state_of(model, optimizer)
                probe.look()
                assert same(held, state_of(model, optimizer)), (descent, mode)


def check_probe_leaves_everything_where_the_loss_fails():
    model = network()
    x, y = samples()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion(model(x), y).backward()
    calls = []

    def failing():
        calls.append(0)
        if len(calls) == 2:
            raise RuntimeError("on purpose")
        return criterion(model(x), y)

    probe = Probe(model, failing, rho=0.5, path=None)
    held = state_of(model, optimizer)
    try:
        probe.look()
    except RuntimeError as error:
        assert "on purpose" in str(error)
    assert len(calls) == 2 and same(held, state_of(model, optimizer))


def check_a_run_ends_the_same_with_and_without_a_probe():
    ends = []
    for probed in (False, True):
        model = network()
        x, y = samples()
        optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.3, lr=0.1, momentum=0.9)
        path = os.path.join(folder, "beside.jsonl")
        probe = Probe(model, criterion, (x, y), optimizer, path=path, every=2, descent=2)
        for _ in range(10):
            # Mixed precision on the CPU, around the passes of the run.
            for step in (optimizer.first_step, optimizer.second_step):
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    loss = criterion(model(x).float(), y)
                loss.backward()
                step(zero_grad=True)
            if probed:
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    probe()
        ends.append([p.detach().clone() for p in [*model.parameters(), *model.buffers()]])
    assert all(torch.equal(a, b) for a, b in zip(*ends))


def check_probe_gives_the_numbers_of_sam():
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)).double()
    x, y = samples()
    x = x.double()
    for adaptive in (False, True):
        params = [p.detach().clone() for p in model.parameters()]

        def flat(point):
            other = copy.deepcopy(model)
            for p, value in zip(other.parameters(), point):
                p.data = value.clone()
            loss = criterion(other(x), y)
            return loss.item(), torch.autograd.grad(loss, list(other.parameters()))

        f, g = flat(params)
        scale = [p.abs() if adaptive else torch.ones_like(p) for p in params]
        norm = sum(((s * v) ** 2).sum() for s, v in zip(scale, g)) ** 0.5
        shifted, h = flat([p + 0.7 * s * s * v / norm for p, s, v in zip(params, scale, g)])
        gg = sum((v * v).sum() for v in g) ** 0.5
        hh = sum((v * v).sum() for v in h) ** 0.5
        cosine = sum((a * b).sum() for a, b in zip(g, h)) / (gg * hh)
        low = [p.clone() for p in params]
        for _ in range(4):
            low = [p - 0.1 * v for p, v in zip(low, flat(low)[1])]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        given = dict(rho=0.7, adaptive=adaptive, descent=4, path=None)
        seen = Probe(model, criterion, (x, y), optimizer, **given).look()
        expected = [f, shifted, gg, hh, cosine, flat(low)[0]]
        names = ["loss", "shiftedLoss", "gradNorm", "shiftedGradNorm", "cosine", "descentLoss"]
        for name, value in zip(names, expected):
            assert abs(seen[name] - float(value)) < 1e-13, (adaptive, name, seen[name], value)
        # In batches the mean is that of the samples.
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=36)
        split = Probe(model, criterion, loader, optimizer, rho=0.7, samples=96, path=None)
        assert abs(split.look()["loss"] - f) < 1e-13 and split.every == 150


def check_probe_is_exact_and_repeats_itself_inside_mixed_precision():
    model = network()
    x, y = samples()
    drawn = []

    def loss():
        # Python's numbers too: an augmentation may draw them.
        drawn.append(random.random())
        return criterion(model(x), y)

    probe = Probe(model, loss, rho=0.5, path=None)
    plain = probe.look()
    state = random.getstate()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert probe.look() == plain
    assert len(drawn) == 4 and random.getstate() == state


def check_probe_survives_a_vanishing_gradient():
    model = nn.Linear(2, 1)
    seen = Probe(model, lambda: (0 * model(torch.ones(3, 2))).sum(), rho=1.0, path=None).look()
    assert seen["gradNorm"] == seen["shiftedGradNorm"] == seen["cosine"] == 0, seen


def check_probe_counts_steps_and_goes_on_after_a_restart():
    model = network()
    path = os.path.join(folder, "steps.jsonl")
    given = dict(rho=0.1, path=path, every=4)
    probe = Probe(model, criterion, samples(), **given, run="one")
    told = []
    for _ in range(10):
        probe(lr=0.5)
    probe.close()
    probe = Probe(model, criterion, samples(), **given, log=told.append)
    for step in (6, 7, 8, 9, 13):
        probe(step=step)
    with open(path) as file:
        lines = [json.loads(line) for line in file]
    steps = [line.get("step") for line in lines]
    assert steps == [None, 0, 4, 8, None, 6, 8, 13], steps
    assert lines[0]["run"] == "one" and lines[0]["every"] == 4 and lines[1]["lr"] == 0.5
    assert [row["step"] for row in told] == [6, 8, 13]
    # A screen judges from 20 rows on.
    probe = Probe(model, criterion, samples(), rho=0.1, path=None)
    probe.look = dict
    steps = [step for step in range(3000) if probe() is not None]
    assert steps[:4] == [0, 45, 90, 135] and len(steps) > 60, steps
    assert steps[-1] - steps[-2] == 50 and probe.every == 50
    # A probe costs a step for each batch that it takes, and up to half of one: 5 % of any 1,000 steps.
    for batches in range(1, 9):
        loader = (samples() for _ in range(batches))
        probe = Probe(model, criterion, loader, rho=0.1, path=None, samples=10**9)
        probe.look = dict
        steps = [step for step in range(2000) if probe() is not None]
        most = max(sum(a <= step < a + 1000 for step in steps) for a in range(1000))
        assert probe.every == 50 * batches and steps[19] < 1000, steps
        assert most * max(1.5, batches) <= (50 if batches < 3 else 23 * batches), (batches, most)


def watched(loop, **options):
    """The rows of a loop, and what SAM saw in it by other means."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
    torch.manual_seed(3)
    for p in model.parameters():
        p.data = 0.4 * torch.randn_like(p)
    twin = copy.deepcopy(model)
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.3, lr=0.1)
    path = os.path.join(folder, f"{loop.__name__}.jsonl")
    watch = Watch(optimizer, path, **{"every": 1, **options})
    loop(model, optimizer, watch)
    watch.close()
    header, rows = rows_of(path)
    other = SAM(twin.parameters(), torch.optim.SGD, rho=0.3, lr=0.1)
    x, y = samples()
    for row in rows:
        seen = []
        for step in (other.first_step, other.second_step):
            loss = criterion(twin(x), y)
            loss.backward()
            seen.append((loss.item(), torch.cat([p.grad.flatten() for p in twin.parameters()])))
            step(zero_grad=True)
        (f, g), (s, h) = seen
        expected = dict(
            loss=f,
            shiftedLoss=s,
            gradNorm=g.norm().item(),
            shiftedGradNorm=h.norm().item(),
            cosine=(g @ h / g.norm() / h.norm()).item(),
            rho=0.3,
            lr=0.1,
        )
        for name, value in expected.items():
            assert abs(row[name] - value) < 2e-6, (loop.__name__, row["step"], name, row, value)
    return header, rows


def check_watch_reads_two_steps():
    def two_steps(model, optimizer, watch):
        x, y = samples()
        for _ in range(4):
            loss = criterion(model(x), y)
            loss.backward()
            watch.first(loss)
            optimizer.first_step(zero_grad=True)
            loss = criterion(model(x), y)
            loss.backward()
            watch.second(loss)
            optimizer.second_step(zero_grad=True)

    header, rows = watched(two_steps, full=True, task="digits")
    assert [row["step"] for row in rows] == [0, 1, 2, 3]
    assert header["evidence"] == "full" and header["rho"] == 0.3 and header["task"] == "digits"
    assert header["optimizer"] == "SGD"


def check_watch_reads_closures_of_both_kinds():
    def closing(model, optimizer, watch, both):
        x, y = samples()

        def closure():
            loss = criterion(model(x), y)
            loss.backward()
            return loss

        for _ in range(4):
            seen = watch.closure(closure)
            if both:
                seen()
            else:
                watch.first(closure())
            optimizer.step(seen)
            optimizer.zero_grad()

    def first_told(*given):
        closing(*given, both=False)

    def both_called(*given):
        closing(*given, both=True)

    for loop in (first_told, both_called):
        assert len(watched(loop)[1]) == 4


def check_watch_adds_up_accumulated_gradients():
    def accumulated(model, optimizer, watch):
        x, y = samples()
        for _ in range(3):
            for note, step in (
                (watch.first, optimizer.first_step),
                (watch.second, optimizer.second_step),
            ):
                for part in range(4):
                    loss = criterion(model(x[24 * part : 24 * part + 24]), y[24 * part : 24 * part + 24])
                    (loss / 4).backward()
                    note(loss)
                step(zero_grad=True)

    assert len(watched(accumulated)[1]) == 3


class Scaler:
    """The part of GradScaler that a loop with SAM calls; PyTorch's own needs a GPU before 2.3."""

    def __init__(self):
        self.factor, self._per_optimizer_states = 1024.0, {}

    def is_enabled(self):
        return True

    def get_scale(self):
        return self.factor

    def scale(self, loss):
        return loss * self.factor

    def unscale_(self, optimizer):
        for group in optimizer.param_groups:
            for p in group["params"]:
                p.grad /= self.factor
        stage = types.SimpleNamespace(name="UNSCALED")
        self._per_optimizer_states[id(optimizer)] = {"stage": stage}

    def update(self):
        self._per_optimizer_states.clear()


def check_watch_knows_scaled_gradients():
    def scaled_early(*given):
        loop(*given, early=True)

    def scaled_late(*given):
        loop(*given, early=False)

    scaler = Scaler()

    def loop(model, optimizer, watch, early):
        x, y = samples()
        for _ in range(3):
            for note, step in (
                (watch.first, optimizer.first_step),
                (watch.second, optimizer.second_step),
            ):
                loss = criterion(model(x), y)
                scaler.scale(loss).backward()
                if early:
                    note(loss)
                scaler.unscale_(optimizer)
                if not early:
                    note(loss)
                step(zero_grad=True)
                scaler.update()

    for kind in (scaled_early, scaled_late):
        assert len(watched(kind, scaler=scaler)[1]) == 3


def check_watch_marks_steps_that_overflowed():
    model = nn.Linear(6, 4)
    x, y = samples()
    optimizer = SAM(model.parameters(), torch.optim.SGD, lr=0.1)
    path = os.path.join(folder, "overflow.jsonl")
    with Watch(optimizer, path, every=2, scaler=Scaler()) as watch:
        for step in range(5):
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            if step == 2:
                model.weight.grad[0, 0] = float("inf")
            watch.first(loss)
            watch.second(loss)
    _, rows = rows_of(path)
    assert [(row["step"], row.get("skipped")) for row in rows] == [(0, None), (2, 1), (4, None)]


def in_a_group(rank, path, port):
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    model = nn.parallel.DistributedDataParallel(network())
    x, y = samples()
    half = slice(48 * rank, 48 * rank + 48)
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.3, lr=0.1)
    probe = Probe(model, criterion, (x[half], y[half]), optimizer, path=path, every=1)
    for _ in range(3):
        for step in (optimizer.first_step, optimizer.second_step):
            loss = criterion(model(x[half]), y[half]) + 0 * model.module.unused.sum()
            loss.backward()
            step(zero_grad=True)
        probe()
    torch.distributed.destroy_process_group()


def check_only_the_first_of_several_processes_records():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = os.path.join(folder, "group.jsonl")
    torch.multiprocessing.spawn(in_a_group, args=(path, port), nprocs=2)
    header, rows = rows_of(path)
    assert [row["step"] for row in rows] == [0, 1, 2] and header["samples"] == 48


def stubs():
    """What the callbacks need of their packages, where those are not installed."""
    made = []
    for module, name in (("lightning.pytorch", "Callback"), ("transformers", "TrainerCallback")):
        try:
            __import__(module)
        except ImportError:
            outer, _, inner = module.partition(".")
            stub = types.ModuleType(module)
            setattr(stub, name, type(name, (), {}))
            sys.modules[module] = stub
            if inner:
                sys.modules[outer] = types.ModuleType(outer)
                setattr(sys.modules[outer], inner, stub)
            made.append(module)
    return made


def check_callbacks_record_in_trainers_of_the_documented_interface():
    print(json.dumps({"stubs": stubs()}))
    import lightning.pytorch
    import transformers
    from lucid_sam.callbacks import HuggingFaceProbe, LightningProbe

    x, y = samples()
    optimizer = SAM(network().parameters(), torch.optim.SGD, rho=0.3, lr=0.1)
    path = os.path.join(folder, "lightning.jsonl")
    callback = LightningProbe(criterion, (x, y), rho=0.3, every=2, path=path)
    assert isinstance(callback, lightning.pytorch.Callback)
    trainer = types.SimpleNamespace(global_step=0, optimizers=[optimizer])
    model = network()
    callback.on_train_start(trainer, model)
    for batch in range(5):
        trainer.global_step += 1
        callback.on_train_batch_end(trainer, model, None, (x, y), batch)
    callback.on_train_end(trainer, model)
    header, rows = rows_of(path)
    assert [row["step"] for row in rows] == [1, 2, 4] and header["optimizer"] == "SGD"

    class Output(dict):
        loss = property(lambda self: self["loss"])

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, inputs, labels):
            return Output(loss=criterion(self.net(inputs), labels))

    path = os.path.join(folder, "transformers.jsonl")
    loader = [{"inputs": x[:48], "labels": y[:48]}, {"inputs": x[48:], "labels": y[48:]}]
    callback = HuggingFaceProbe(None, iter(loader), rho=0.3, every=2, path=path, samples=96)
    assert isinstance(callback, transformers.TrainerCallback)
    state = types.SimpleNamespace(global_step=0)
    model = Classifier()
    callback.on_train_begin(None, state, None, model=model, optimizer=optimizer)
    for _ in range(5):
        state.global_step += 1
        callback.on_step_end(None, state, None, model=model)
    callback.on_train_end(None, state, None)
    header, rows = rows_of(path)
    assert [row["step"] for row in rows] == [1, 2, 4] and header["samples"] == 96


def check_cuda_keeps_its_random_numbers():
    if not torch.cuda.is_available():
        return "no CUDA here"
    model = network().cuda()
    x, y = [part.cuda() for part in samples()]
    states = torch.cuda.get_rng_state_all()
    Probe(model, criterion, (x, y), rho=0.3, path=None).look()
    assert all(torch.equal(a, b) for a, b in zip(states, torch.cuda.get_rng_state_all()))


def check_what_is_missing_is_said():
    model = network()
    for given, words in (
        (dict(batch=samples()), "missing rho"),
        (dict(batch=samples(), rho=1, descent=2), "missing optimizer"),
        (dict(batch=[], rho=1), "missing samples"),
        (dict(rho=1), "missing batch"),
    ):
        try:
            loss = None if "batch" not in given else criterion
            Probe(model, loss, path=None, **given).look()
        except ValueError as error:
            assert words in str(error) and "\n" not in str(error), error
        else:
            raise AssertionError(words)
    try:
        Watch(torch.optim.SGD(model.parameters(), lr=0.1), None).second(torch.zeros(()))
    except RuntimeError as error:
        assert "missing first" in str(error)
    else:
        raise AssertionError("no order")


if __name__ == "__main__":
    print(json.dumps({"torch": torch.__version__}))
    for name, check in [pair for pair in globals().items() if pair[0].startswith("check_")]:
        try:
            skipped = check()
            print(json.dumps({"check": name, "error": None, "skipped": skipped}), flush=True)
        except BaseException:
            print(json.dumps({"check": name, "error": traceback.format_exc()}), flush=True)
