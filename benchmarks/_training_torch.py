"""The PyTorch peer of training.py: times the paper's ST-ResNet; takes settings as JSON, prints samples/s.

Runs in a separate environment with torch and numpy; if torch finds a GPU, model and windows are on it. The setting
`way` is `float32`, `bfloat16`, or, in bfloat16 on a GPU, `graphs` (a step is one CUDA graph) or `compile`.
"""

import json
import sys
import time

import torch
from torch import nn


class Branch(nn.Module):
    """Conv, residual units of [(BN) ReLU Conv] x 2, ReLU, Conv: `[b, lags * 2, H, W]` to `[b, 2 h, H, W]`."""

    def __init__(self, channels: int, filters: int, units: int, norm: bool, out: int):
        super().__init__()

        def half():
            normed = [nn.BatchNorm2d(filters)] if norm else []
            return [*normed, nn.ReLU(), nn.Conv2d(filters, filters, 3, padding=1)]

        self.first = nn.Conv2d(channels, filters, 3, padding=1)
        self.units = nn.ModuleList(nn.Sequential(*half(), *half()) for _ in range(units))
        self.last = nn.Sequential(nn.ReLU(), nn.Conv2d(filters, out, 3, padding=1))
        self.layout = torch.contiguous_format

    def forward(self, x):
        x = self.first(x.contiguous(memory_format=self.layout))
        for unit in self.units:
            x = x + unit(x)
        return self.last(x)


class STResNet(nn.Module):
    """Branches, Hadamard fusion, the external and (optionally) the local component, and the output activation.

    `maps` is name -> `[b, n, 2, H, W]` with n from `given["maps"]`; the output is `[b, 2 h, H, W]`.
    """

    def __init__(self, given: dict):
        super().__init__()
        self.horizon = given["horizon"]
        rows, cols, out = given["rows"], given["cols"], 2 * self.horizon
        counts = dict(given["maps"])
        usual = counts.pop("average", 0)
        beside = {n: usual if n == "closeness" else min(usual, self.horizon) for n in counts}
        self.branches = nn.ModuleDict(
            {
                name: Branch(
                    2 * (count + beside[name]),
                    given["filters"],
                    given["residual_units"],
                    given["batch_norm"],
                    out,
                )
                for name, count in counts.items()
            }
        )
        self.beside = beside
        self.fusion = nn.ParameterDict({n: torch.rand(out, rows, cols) for n in counts})
        self.external = nn.Sequential(
            nn.Linear(given["external"], given["external_units"]),
            nn.ReLU(),
            nn.Linear(given["external_units"], out * rows * cols),
        )
        self.local = None
        if given["local"]:
            inputs = sum(counts.values()) + usual
            inputs += 2 * counts["closeness"] * self.horizon if usual else 0
            self.local = nn.Parameter(torch.zeros(rows, cols, 2 * inputs, out))
            self.calendar = nn.Linear(given["external"], out * rows * cols)
        self.head = torch.tanh if given["head"] == "tanh" else nn.Identity()

    def forward(self, maps, external):
        usual = maps.get("average")
        fused = 0.0
        for name, branch in self.branches.items():
            x = maps[name]
            if usual is not None:
                x = torch.cat([x, usual[:, : self.beside[name]]], 1)
            fused = fused + branch(x.flatten(1, 2)) * self.fusion[name]
        fused = fused + self.external(external).view_as(fused)
        if self.local is not None:
            known = [x + 1.0 for x in maps.values()]
            if usual is not None:
                lags = maps["closeness"].shape[1]
                now, then = maps["closeness"] + 1.0, usual[:, -lags:] + 1.0
                wanted = usual[:, None, : self.horizon] + 1.0
                city = [x.sum((2, 3, 4), keepdim=True) + 0.5 for x in (now, then)]
                for above, below in (city, (now + 0.04, then + 0.04)):
                    level = above / below - 1.0
                    known.append((level[:, :, None] * wanted).flatten(1, 2))
            x = torch.cat(known, 1).flatten(1, 2)
            fused = fused + torch.einsum("bihw,hwic->bchw", x, self.local) - 1.0
            fused = fused + self.calendar(external).view_as(fused)
        return self.head(fused).float()


def captured(step, rows):
    """A step as one CUDA graph, which takes the rows of a tensor of its own."""
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            step(rows)
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step(rows)

    def replay(rows_taken) -> torch.Tensor:
        rows.copy_(rows_taken)
        graph.replay()
        return loss

    return replay


def main() -> None:
    """Trains for some seconds and prints one line of JSON."""
    given = json.loads(sys.argv[1])
    torch.set_num_threads(given["threads"])
    torch.manual_seed(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    way = given["way"]
    fast = way != "float32"
    layout = torch.channels_last if fast else torch.contiguous_format
    rows, cols, batch, windows = (given[n] for n in ("rows", "cols", "batch", "windows"))
    model = STResNet(given).to(device, memory_format=layout)
    for branch in model.branches.values():
        branch.layout = layout
    optimizer = torch.optim.Adam(
        model.parameters(), lr=1e-4, fused=device == "cuda", capturable=way == "graphs"
    )

    def random(*shape: int):
        return torch.rand(windows, *shape, device=device)

    maps = {name: random(n, 2, rows, cols) for name, n in given["maps"].items()}
    external = random(given["external"])
    target = random(2 * given["horizon"], rows, cols)

    def step(rows_taken) -> torch.Tensor:
        inputs = {name: x[rows_taken] for name, x in maps.items()}
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=fast):
            answer = model(inputs, external[rows_taken])
        loss = nn.functional.mse_loss(answer, target[rows_taken])
        loss.backward()
        optimizer.step()
        return loss

    if way == "compile":
        model = torch.compile(model, mode="reduce-overhead")
    if way == "graphs":
        step = captured(step, torch.arange(batch, device=device))

    whole = windows // batch * batch

    def epoch() -> None:
        order = torch.randperm(windows, device=device)
        for rows_taken in order[:whole].split(batch):
            loss = step(rows_taken)
        loss.item()  # waits for the GPU

    epoch()
    seen, started = 0, time.perf_counter()
    while time.perf_counter() - started < given["seconds"]:
        epoch()
        seen += whole
    rate = seen / (time.perf_counter() - started)
    version = f"PyTorch {torch.__version__} on {device}"
    print(json.dumps({"samples_per_second": rate, "version": version}))


if __name__ == "__main__":
    main()
