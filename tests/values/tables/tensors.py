"""PyTorch; see `tests/values/torch.sh`."""

# ruff: noqa: E501  # a case is read as one line

from tests.values.table import Case, Change, Table

TABLE = Table(
    setup="""
import copy
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.first, self.second = nn.Linear(3, width), nn.Linear(width, 1)
        self.register_buffer("seen", torch.zeros(1))
    def forward(self, x):
        return self.second(torch.relu(self.first(x)))

def learner():
    torch.manual_seed(0)
    net = Net()
    return {"net": net, "optimizer": torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)}

def learn(net, optimizer):
    optimizer.zero_grad()
    net(torch.ones(5, 3)).sum().backward()
    optimizer.step()
    net.seen += 5
""",
    cases=[
        Case(
            "a tensor",
            "torch.arange(6.0).reshape(2, 3)",
            "v.shape == (2, 3) and v.dtype == torch.float32 and v.sum() == 15",
        ),
        Case(
            "no dimension, no element",
            "[torch.tensor(2.5), torch.empty(0, 3)]",
            "v[0].item() == 2.5 and v[1].shape == (0, 3)",
        ),
        Case(
            "many types",
            "[torch.ones(2, dtype=t) for t in (torch.float16, torch.bfloat16, torch.int8, torch.bool, torch.complex64)]",
            "v[1].dtype is torch.bfloat16 and v[3].all()",
        ),
        Case("a view", "torch.arange(10)[2:5]", "v.tolist() == [2, 3, 4]"),
        Case("turned around", "torch.arange(6).reshape(2, 3).t()", "v.stride() == (1, 3) and v[2].tolist() == [2, 5]"),
        Case(
            "with a gradient to come",
            "torch.ones(2, requires_grad=True)",
            "v.requires_grad and v.is_leaf and v.grad is None",
        ),
        Case("a parameter", "nn.Parameter(torch.ones(2))", "type(v) is nn.Parameter and v.requires_grad"),
        Case(
            "a module of the notebook",
            "Net()",
            "type(v) is Net and v(torch.ones(1, 3)).shape == (1, 1) and len(list(v.parameters())) == 4",
        ),
        Case(
            "module and optimizer share",
            "learner()",
            "v['optimizer'].param_groups[0]['params'][0] is v['net'].first.weight",
        ),
        Case("a state", "Net().state_dict()", "list(v)[0] == 'seen' and v['first.weight'].shape == (4, 3)"),
        Case(
            "layers",
            "nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Dropout(0.1)).eval()",
            "not v.training and v(torch.ones(1, 2)).shape == (1, 2)",
        ),
        Case("sparse", "torch.eye(3).to_sparse()", "v.is_sparse and v.to_dense().trace() == 3"),
        Case(
            "types and places",
            "[torch.float32, torch.device('cpu'), torch.Size([1, 2])]",
            "v[0] is torch.float32 and v[1].type == 'cpu' and v[2] == (1, 2)",
        ),
        Case(
            "a data set",
            "torch.utils.data.TensorDataset(torch.ones(3, 1), torch.zeros(3))",
            "len(v) == 3 and v[0][0].item() == 1",
        ),
    ],
    changes=[
        Change("an operation in place", "torch.zeros(3)", "v.add_(1)", "v.tolist() == [1, 1, 1]"),
        Change("an element", "torch.zeros(3)", "v[1] = 5", "v.tolist() == [0, 5, 0]"),
        Change(
            "a step of learning",
            "learner()",
            "learn(**v)",
            "v['net'].seen.item() == 5 and v['optimizer'].state and v['optimizer'].param_groups[0]['params'][0] is v['net'].first.weight",
        ),
        Change(
            "a state that is loaded",
            "Net()",
            "v.load_state_dict({n: torch.zeros_like(t) for n, t in v.state_dict().items()})",
            "v.first.weight.abs().sum() == 0",
        ),
        Change("a mode", "Net()", "v.eval()", "not v.training"),
    ],
)
